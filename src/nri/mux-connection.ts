import { asError, ProtocolError } from "../lib/errors.ts";
import type { ByteChannel, ByteSink } from "../ttrpc/channel.ts";
import { encodeMessage, MuxDecoder } from "./mux.ts";

/**
 * The logical connections on one trunk. They live and die together: closing one, or a broken frame, closes the trunk
 * and all. Bytes for connections that nobody opened are dropped, as the Go side does.
 */
export class MuxConnection {
  readonly #trunk: ByteChannel;
  readonly #decoder = new MuxDecoder();
  readonly #sinks = new Map<number, ByteSink>();
  readonly #closed = Promise.withResolvers<Error | undefined>();
  #ended = false;

  constructor(trunk: ByteChannel) {
    this.#trunk = trunk;
  }

  /** Resolves when the trunk is gone, with the reason if there is one. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** One of the streams. Listen to all of them before start(). */
  channel(connectionId: number): ByteChannel {
    return {
      write: (bytes) => this.#trunk.write(encodeMessage(connectionId, bytes)),
      listen: (sink) => {
        this.#sinks.set(connectionId, sink);
      },
      close: (cause) => this.close(cause),
    };
  }

  /** Starts to read. */
  start(): void {
    this.#trunk.listen({ data: (chunk) => this.#receive(chunk), closed: (cause) => this.#end(cause) });
  }

  close(cause?: Error): void {
    this.#trunk.close(cause);
    this.#end(cause);
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const { connectionId, bytes } of this.#decoder.push(chunk)) this.#sinks.get(connectionId)?.data(bytes);
    } catch (error) {
      this.close(asError(error));
    }
  }

  #end(cause: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const reason =
      cause ?? (this.#decoder.between ? undefined : new ProtocolError("the runtime hung up inside an NRI frame"));
    for (const sink of this.#sinks.values()) sink.closed(reason);
    this.#closed.resolve(reason);
  }
}
