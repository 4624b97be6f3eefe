/** Two ends of a byte stream in memory, which delivers asynchronously and cuts the bytes as it is told. */
import type { ByteChannel, ByteSink } from "../../src/ttrpc/channel.ts";

export interface PairOptions {
  /** Length of the next chunk to deliver; default: all that there is. */
  readonly cut?: () => number;
}

class End implements ByteChannel {
  readonly #cut: () => number;
  #peer: End | undefined;
  #sink: ByteSink | undefined;
  #queue: Uint8Array[] = [];
  #closed = false;
  #cause: Error | undefined;
  #scheduled = false;
  /** Everything that was written, for golden bytes. */
  readonly written: Uint8Array[] = [];

  constructor(cut: () => number) {
    this.#cut = cut;
  }

  join(peer: End): void {
    this.#peer = peer;
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) throw new Error("write on a closed channel");
    this.written.push(new Uint8Array(bytes));
    this.#peer?.deliver(new Uint8Array(bytes));
  }

  listen(sink: ByteSink): void {
    this.#sink = sink;
    this.#schedule();
  }

  close(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cause = cause;
    this.#schedule();
    this.#peer?.close();
  }

  get closedWith(): Error | "peer" | undefined {
    return this.#closed ? (this.#cause ?? "peer") : undefined;
  }

  deliver(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#sink === undefined) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    let rest: Uint8Array = Buffer.concat(this.#queue);
    this.#queue = [];
    while (rest.length > 0) {
      const length = Math.max(1, this.#cut());
      this.#sink?.data(rest.slice(0, length));
      rest = rest.subarray(length);
    }
    if (this.#closed) {
      const sink = this.#sink;
      this.#sink = undefined;
      sink?.closed(this.#cause);
    }
  }
}

export function channelPair(options: PairOptions = {}): [End, End] {
  const cut = options.cut ?? (() => Number.POSITIVE_INFINITY);
  const [left, right] = [new End(cut), new End(cut)];
  left.join(right);
  right.join(left);
  return [left, right];
}
