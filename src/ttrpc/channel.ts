/** A duplex stream of bytes: a socket, one connection of the NRI multiplexer, or a pair in a test. */
export interface ByteChannel {
  /** Sends the bytes in order; one call carries one whole message. Throws once the channel is closed. */
  write(bytes: Uint8Array): void;
  /** Names the one reader. Bytes that arrived before are kept for it. */
  listen(sink: ByteSink): void;
  /** Ends both directions; the sink hears `closed` once, with `cause` where there is one. Harmless when repeated. */
  close(cause?: Error): void;
}

export interface ByteSink {
  /** A chunk, cut anywhere. The callee may keep it: nobody writes to it again. */
  data(chunk: Uint8Array): void;
  /** Nothing comes after this. `cause` is undefined where the peer simply hung up. */
  closed(cause: Error | undefined): void;
}
