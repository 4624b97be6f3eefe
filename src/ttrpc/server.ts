import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { LONGEST_TIMER_MS } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { type Request, RequestSchema, ResponseSchema } from "../proto/gen/ttrpc/request_pb.ts";
import type { ByteChannel } from "./channel.ts";
import { encodeFrame, type Frame, FrameDecoder, HEADER_BYTES, MAX_DATA_BYTES, MessageType } from "./frame.ts";
import type { ServiceRouter } from "./service-router.ts";
import { Code, StatusError } from "./status.ts";

type Answer = MessageInitShape<typeof ResponseSchema>;

/**
 * The serving side of a ttrpc connection, unary calls only. Requests are handled concurrently and each gets one
 * response, if only a status; what breaks the framing closes the channel. Mirrors the Go server's answers.
 */
export class TtrpcServer {
  readonly #channel: ByteChannel;
  readonly #router: ServiceRouter;
  readonly #maxSendBytes: number;
  readonly #decoder = new FrameDecoder();
  readonly #gone = new AbortController();
  #highestStreamId = 0;

  /** Takes the channel's reading side and serves at once. `maxSendBytes` bounds a whole frame, header included. */
  constructor(channel: ByteChannel, router: ServiceRouter, options: { readonly maxSendBytes?: number } = {}) {
    this.#channel = channel;
    this.#router = router;
    this.#maxSendBytes = options.maxSendBytes ?? HEADER_BYTES + MAX_DATA_BYTES;
    channel.listen({
      data: (chunk) => this.#receive(chunk),
      closed: (cause) => this.#gone.abort(cause ?? new Error("the peer closed the connection")),
    });
  }

  #receive(chunk: Uint8Array): void {
    if (this.#gone.signal.aborted) return;
    try {
      for (const frame of this.#decoder.push(chunk)) this.#dispatch(frame);
    } catch (error) {
      this.#channel.close(asError(error));
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.type !== MessageType.Request && frame.type !== MessageType.Data) return; // of the future; Go is silent too
    const refusal = refusalOf(frame, this.#highestStreamId);
    if (refusal === undefined || refusal.code === Code.UNIMPLEMENTED) this.#highestStreamId = frame.streamId;
    if (refusal === undefined) void this.#serve(frame);
    else this.#answer(frame.streamId, { status: refusal });
  }

  /** Never rejects: it is the end of every error of a call. */
  async #serve(frame: Frame): Promise<void> {
    using scope = new DisposableStack();
    let answer: Answer;
    try {
      const request = parseEnvelope(frame.data);
      const timeoutMs = timeoutOf(request);
      const deadline = new AbortController();
      if (timeoutMs === 0) deadline.abort(late(0));
      else if (timeoutMs !== undefined) {
        const timer = setTimeout(() => deadline.abort(late(timeoutMs)), Math.min(timeoutMs, LONGEST_TIMER_MS));
        scope.defer(() => clearTimeout(timer));
      }
      const signal = AbortSignal.any([this.#gone.signal, deadline.signal]);
      const handler = this.#router.find(request.service, request.method);
      answer = { payload: await handler(request.payload, { timeoutMs, signal }) };
    } catch (error) {
      const { code, message } = StatusError.from(error);
      answer = { status: { code, message } };
    }
    this.#answer(frame.streamId, answer);
  }

  #answer(streamId: number, answer: Answer): void {
    if (this.#gone.signal.aborted) return;
    try {
      this.#channel.write(this.#encode(streamId, answer));
    } catch (error) {
      this.#channel.close(asError(error)); // an answer that cannot be sent would leave the caller waiting
    }
  }

  #encode(streamId: number, answer: Answer): Uint8Array {
    const data = toBinary(ResponseSchema, create(ResponseSchema, answer));
    const size = HEADER_BYTES + data.length;
    if (size > this.#maxSendBytes) {
      const message = `the response has ${size} bytes, the limit is ${this.#maxSendBytes}`;
      return this.#encode(streamId, { status: { code: Code.RESOURCE_EXHAUSTED, message } });
    }
    return encodeFrame({ streamId, type: MessageType.Response, flags: 0, data });
  }
}

/** Why a frame starts no call, in the order in which the Go server looks. */
function refusalOf(frame: Frame, highestStreamId: number): { code: number; message: string } | undefined {
  const { streamId, type, flags } = frame;
  const invalid = (message: string) => ({ code: Code.INVALID_ARGUMENT, message });
  if (type === MessageType.Data) return invalid(`no stream ${streamId} takes data`);
  if (streamId % 2 === 0) return invalid(`stream id ${streamId} is even: not a client's`);
  if (streamId <= highestStreamId) return invalid(`stream id ${streamId} is not above ${highestStreamId}`);
  if (flags !== 0) return { code: Code.UNIMPLEMENTED, message: "streaming calls are not served" };
  return undefined;
}

function parseEnvelope(data: Uint8Array): Request {
  try {
    return fromBinary(RequestSchema, data);
  } catch (cause) {
    throw new StatusError(Code.INVALID_ARGUMENT, "the request envelope cannot be read", { cause });
  }
}

/** timeout_nano is what was left when the request was sent: 0 is no limit, negative is already late. */
function timeoutOf(request: Request): number | undefined {
  if (request.timeoutNano === 0n) return undefined;
  return Math.max(0, Number(request.timeoutNano) / 1e6);
}

function late(timeoutMs: number): StatusError {
  return new StatusError(Code.DEADLINE_EXCEEDED, `the caller waits no longer than ${timeoutMs} ms`);
}
