/** ttrpc framing: a 10-byte header, then data. https://github.com/containerd/ttrpc, PROTOCOL.md, "Message Frame".
 *     0        4          8      9       10
 *     | length | streamId | type | flags | data…        integers are big-endian */
import { ProtocolError } from "../lib/errors.ts";

/** The most data that a peer has to accept, so the most that we send. */
export const MAX_DATA_BYTES = 4 << 20;
/**
 * The most data that we accept. NRI before 0.7 does not split what it synchronises, and its multiplexer carries at
 * most 4,096 bytes and then 16 MiB for one message.
 */
export const MAX_RECEIVED_BYTES = (16 << 20) + 4096;
export const HEADER_BYTES = 10;

export const MessageType = { Request: 1, Response: 2, Data: 3 } as const;

export interface Frame {
  readonly streamId: number;
  readonly type: number; // a MessageType; unknown values are the stream layer's to reject
  readonly flags: number;
  readonly data: Uint8Array;
}

/** Throws RangeError above MAX_DATA_BYTES: nothing of such a message may reach the wire. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { length } = frame.data;
  if (length > MAX_DATA_BYTES) throw new RangeError(`a ttrpc frame of ${length} bytes is above ${MAX_DATA_BYTES}`);
  const bytes = new Uint8Array(HEADER_BYTES + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length);
  view.setUint32(4, frame.streamId);
  view.setUint8(8, frame.type);
  view.setUint8(9, frame.flags);
  bytes.set(frame.data, HEADER_BYTES);
  return bytes;
}

/** Turns a byte stream, however it is cut into chunks, into frames. One instance per connection. */
export class FrameDecoder {
  readonly #maxBytes: number;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #data: Uint8Array | undefined; // of the frame whose header is complete
  #dataBytes = 0;

  constructor(maxBytes: number = MAX_RECEIVED_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Returns the frames that this chunk completes. Throws ProtocolError once; then the connection is dead. */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    for (;;) {
      if (this.#data === undefined) {
        const part = chunk.subarray(at, at + HEADER_BYTES - this.#headerBytes);
        this.#header.set(part, this.#headerBytes);
        this.#headerBytes += part.length;
        at += part.length;
        if (this.#headerBytes < HEADER_BYTES) return frames;
        this.#data = new Uint8Array(this.#checkedLength());
      }
      const part = chunk.subarray(at, at + this.#data.length - this.#dataBytes);
      this.#data.set(part, this.#dataBytes);
      this.#dataBytes += part.length;
      at += part.length;
      if (this.#dataBytes < this.#data.length) return frames;
      const view = new DataView(this.#header.buffer);
      frames.push({ streamId: view.getUint32(4), type: view.getUint8(8), flags: view.getUint8(9), data: this.#data });
      this.#headerBytes = 0;
      this.#dataBytes = 0;
      this.#data = undefined;
    }
  }

  /** Bytes of an unfinished frame; non-zero when the peer closes means that the stream was cut. */
  get pendingBytes(): number {
    return this.#headerBytes + this.#dataBytes;
  }

  /** A hostile length must cost us ten bytes, not four gigabytes. */
  #checkedLength(): number {
    const length = new DataView(this.#header.buffer).getUint32(0);
    if (length > this.#maxBytes) {
      throw new ProtocolError(`a ttrpc frame declares ${length} bytes, the limit is ${this.#maxBytes}`);
    }
    return length;
  }
}
