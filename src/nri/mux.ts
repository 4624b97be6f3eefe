/**
 * The NRI multiplexer: several byte streams on one socket. https://github.com/containerd/nri, pkg/net/multiplex.
 *     0              4                8
 *     | connectionId | payload length | payload…        integers are big-endian; no open, no close
 */
import { ProtocolError } from "../lib/errors.ts";

/** Connection 1: the plugin serves, the runtime calls. */
export const PLUGIN_SERVICE = 1;
/** Connection 2: the runtime serves, the plugin calls. */
export const RUNTIME_SERVICE = 2;

/**
 * The Go receiver hands one frame to one Read, and the ttrpc on top reads a message's start into 4,096 bytes: a larger
 * frame there kills the connection.
 */
const MAX_SENT_PAYLOAD_BYTES = 4096;
/** The Go receiver queues 256 frames for a connection and closes everything when it overflows; leave it room. */
const MAX_FRAMES_PER_MESSAGE = 200;
/** The longest message that encodeMessage() takes. */
export const MAX_MESSAGE_BYTES = MAX_FRAMES_PER_MESSAGE * MAX_SENT_PAYLOAD_BYTES;
/** The most that any release sends in one frame (NRI before 0.7). */
const MAX_RECEIVED_PAYLOAD_BYTES = 16 << 20;
const HEADER_BYTES = 8;

/** The frames that carry one message of one connection, as one run of bytes. Throws RangeError when it is too long. */
export function encodeMessage(connectionId: number, message: Uint8Array): Uint8Array {
  if (message.length > MAX_MESSAGE_BYTES) {
    throw new RangeError(`an NRI message of ${message.length} bytes is above ${MAX_MESSAGE_BYTES}`);
  }
  const frames = Math.ceil(message.length / MAX_SENT_PAYLOAD_BYTES);
  const bytes = new Uint8Array(message.length + frames * HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let from = 0; from < message.length; from += MAX_SENT_PAYLOAD_BYTES) {
    const payload = message.subarray(from, from + MAX_SENT_PAYLOAD_BYTES);
    view.setUint32(at, connectionId);
    view.setUint32(at + 4, payload.length);
    bytes.set(payload, at + HEADER_BYTES);
    at += HEADER_BYTES + payload.length;
  }
  return bytes;
}

/** Bytes of one connection. Frame borders mean nothing, so a frame may come as several pieces. */
export interface Piece {
  readonly connectionId: number;
  readonly bytes: Uint8Array;
}

/** Takes the socket's bytes, however cut. Buffers nothing but an unfinished header. */
export class MuxDecoder {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #payloadLeft = 0; // of the frame whose header is complete

  /** Throws ProtocolError once; then the socket is dead. */
  push(chunk: Uint8Array): Piece[] {
    const pieces: Piece[] = [];
    const header = new DataView(this.#header.buffer);
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft === 0) {
        const part = chunk.subarray(at, at + HEADER_BYTES - this.#headerBytes);
        this.#header.set(part, this.#headerBytes);
        this.#headerBytes += part.length;
        at += part.length;
        if (this.#headerBytes < HEADER_BYTES) return pieces;
        this.#headerBytes = 0;
        this.#payloadLeft = checkLength(header.getUint32(4));
        continue;
      }
      const bytes = chunk.subarray(at, at + this.#payloadLeft);
      at += bytes.length;
      this.#payloadLeft -= bytes.length;
      pieces.push({ connectionId: header.getUint32(0), bytes });
    }
    return pieces;
  }

  /** Whether the stream stands between two frames. */
  get between(): boolean {
    return this.#headerBytes === 0 && this.#payloadLeft === 0;
  }
}

function checkLength(length: number): number {
  if (length <= MAX_RECEIVED_PAYLOAD_BYTES) return length;
  throw new ProtocolError(`an NRI frame declares ${length} bytes, the limit is ${MAX_RECEIVED_PAYLOAD_BYTES}`);
}
