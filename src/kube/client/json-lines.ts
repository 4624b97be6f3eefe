import { ProtocolError } from "../../lib/errors.ts";

/** etcd refuses objects above 1.5 MiB, so a longer line is no watch event. */
export const MAX_LINE_BYTES = 8 << 20;

const NEWLINE = 10;

/** Turns a byte stream, however it is cut into chunks, into JSON values, one for each line. */
export class JsonLineDecoder {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The values that this chunk completes. Throws ProtocolError once; then the stream is dead. */
  push(chunk: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      this.#keep(rest.subarray(0, end));
      const line = this.#take();
      if (line.trim() !== "") values.push(parseLine(line));
      rest = rest.subarray(end + 1);
    }
    this.#keep(rest);
    return values;
  }

  #keep(part: Uint8Array): void {
    if (this.#bytes + part.length > this.#maxBytes)
      throw new ProtocolError(`the API server sent a watch line of more than ${this.#maxBytes} bytes`);
    if (part.length > 0) this.#chunks.push(new Uint8Array(part)); // the stream may use its buffer again
    this.#bytes += part.length;
  }

  #take(): string {
    const line = new TextDecoder().decode(this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks));
    this.#chunks.length = 0;
    this.#bytes = 0;
    return line;
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ProtocolError(`the API server sent a watch line that is no JSON: ${line.slice(0, 80)}`, { cause });
  }
}
