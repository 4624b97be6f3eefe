import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { asError } from "../lib/errors.ts";
import { RequestSchema, ResponseSchema } from "../proto/gen/ttrpc/request_pb.ts";
import type { ByteChannel } from "./channel.ts";
import { encodeFrame, type Frame, FrameDecoder, HEADER_BYTES, MAX_DATA_BYTES, MessageType } from "./frame.ts";
import { Code, StatusError } from "./status.ts";

export interface CallOptions {
  /** Told to the server and kept here: the call rejects with DEADLINE_EXCEEDED. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

interface PendingCall {
  readonly method: string;
  resolve(data: Uint8Array): void;
  reject(error: Error): void;
}

const LAST_STREAM_ID = 0xffff_fffd;

/** The calling side of a ttrpc connection. Unary calls only; answers may come in any order. */
export class TtrpcClient {
  readonly #channel: ByteChannel;
  readonly #maxSendBytes: number;
  readonly #decoder = new FrameDecoder();
  readonly #pending = new Map<number, PendingCall>();
  #nextStreamId = 1; // a client's ids are odd and rise
  #closed: Error | undefined;

  /** Takes the channel's reading side. `maxSendBytes` bounds a whole frame, header included. */
  constructor(channel: ByteChannel, options: { readonly maxSendBytes?: number } = {}) {
    this.#channel = channel;
    this.#maxSendBytes = options.maxSendBytes ?? HEADER_BYTES + MAX_DATA_BYTES;
    channel.listen({ data: (chunk) => this.#receive(chunk), closed: (cause) => this.#end(cause) });
  }

  /**
   * Rejects with StatusError: the server's; UNAVAILABLE when the connection is gone; DEADLINE_EXCEEDED;
   * RESOURCE_EXHAUSTED when the request is too large. With the signal's reason when it aborts.
   */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    options.signal?.throwIfAborted();
    const name = `${method.parent.typeName}/${method.name}`;
    if (this.#closed !== undefined) throw unavailable(name, this.#closed);
    const envelope = create(RequestSchema, {
      service: method.parent.typeName,
      method: method.name,
      payload: toBinary(method.input, create(method.input, request)),
      timeoutNano: BigInt(Math.round(options.timeoutMs * 1e6)),
    });
    const answer = await this.#exchange(name, toBinary(RequestSchema, envelope), options);
    return fromBinary(method.output, answer);
  }

  #exchange(method: string, data: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    const size = HEADER_BYTES + data.length;
    if (size > this.#maxSendBytes) {
      const text = `${method}: the request has ${size} bytes, the limit is ${this.#maxSendBytes}`;
      return Promise.reject(new StatusError(Code.RESOURCE_EXHAUSTED, text));
    }
    const streamId = this.#nextStreamId;
    if (streamId > LAST_STREAM_ID) {
      return Promise.reject(new StatusError(Code.UNAVAILABLE, `${method}: the connection has used up its stream ids`));
    }
    this.#nextStreamId += 2;
    return new Promise((resolve, reject) => {
      const onAbort = () => settle(() => reject(options.signal?.reason));
      const timer = setTimeout(() => {
        const text = `${method}: no answer within ${options.timeoutMs} ms`;
        settle(() => reject(new StatusError(Code.DEADLINE_EXCEEDED, text)));
      }, options.timeoutMs);
      const settle = (then: () => void) => {
        if (!this.#pending.delete(streamId)) return;
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", onAbort);
        then();
      };
      this.#pending.set(streamId, {
        method,
        resolve: (bytes) => settle(() => resolve(bytes)),
        reject: (error) => settle(() => reject(error)),
      });
      options.signal?.addEventListener("abort", onAbort, { once: true });
      try {
        this.#channel.write(encodeFrame({ streamId, type: MessageType.Request, flags: 0, data }));
      } catch (cause) {
        settle(() => reject(unavailable(method, cause)));
      }
    });
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closed !== undefined) return;
    try {
      for (const frame of this.#decoder.push(chunk)) this.#answer(frame);
    } catch (error) {
      this.#channel.close(asError(error));
    }
  }

  #answer(frame: Frame): void {
    const call = this.#pending.get(frame.streamId);
    if (call === undefined) return; // late: the caller has given up
    if (frame.type !== MessageType.Response) {
      const text = `${call.method}: the answer has message type ${frame.type}, not ${MessageType.Response}`;
      call.reject(new StatusError(Code.INTERNAL, text));
      return;
    }
    try {
      const { status, payload } = fromBinary(ResponseSchema, frame.data);
      if (status !== undefined && status.code !== Code.OK) call.reject(new StatusError(status.code, status.message));
      else call.resolve(payload);
    } catch (cause) {
      call.reject(new StatusError(Code.INTERNAL, `${call.method}: the answer cannot be read`, { cause }));
    }
  }

  #end(cause: Error | undefined): void {
    this.#closed = cause ?? new Error("the peer closed the connection");
    for (const call of [...this.#pending.values()]) call.reject(unavailable(call.method, this.#closed));
  }
}

function unavailable(method: string, cause: unknown): StatusError {
  return new StatusError(Code.UNAVAILABLE, `${method}: the connection is closed`, { cause });
}
