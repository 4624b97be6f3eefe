import { connect, type Socket } from "node:net";
import type { ByteChannel, ByteSink } from "../ttrpc/channel.ts";

/** Where the runtime is: a socket file, or a connected socket that the runtime gave to a plugin that it launched. */
export type RuntimeAddress = { readonly path: string } | { readonly fd: number };

/**
 * What `NRI_PLUGIN_SOCKET` says about a plugin that the runtime launched, if it did. NRI before 0.7 (containerd 1.7 up
 * to 1.7.25) never synchronises such a plugin: there it must connect to the runtime's socket to be of use.
 */
export function launchedAddress(environment: Readonly<Record<string, string | undefined>>): RuntimeAddress | undefined {
  const value = environment["NRI_PLUGIN_SOCKET"];
  return value !== undefined && /^\d+$/.test(value) ? { fd: Number(value) } : undefined;
}

/** Connects. Rejects with the system's error (ENOENT, ECONNREFUSED: no runtime there) or the signal's reason. */
export async function connectRuntime(address: RuntimeAddress, signal: AbortSignal): Promise<ByteChannel> {
  signal.throwIfAborted();
  // A socket that was given is connected already, and says nothing about it. Its path is not looked at.
  if ("fd" in address) return new SocketChannel(connect({ fd: address.fd, path: "" }));
  return new SocketChannel(await connectPath(address.path, signal));
}

function connectPath(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const settle = (then: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      then();
    };
    const onError = (error: Error) => settle(() => reject(error));
    const onAbort = () =>
      settle(() => {
        socket.on("error", () => undefined); // what destroying it may still say is of no interest
        socket.destroy();
        reject(signal.reason);
      });
    socket.once("error", onError);
    socket.once("connect", () => settle(() => resolve(socket)));
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

class SocketChannel implements ByteChannel {
  readonly #socket: Socket;
  #sink: ByteSink | undefined;
  #cause: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.pause();
    socket.on("error", (error) => {
      this.#cause ??= error;
    });
    socket.on("end", () => socket.destroy()); // the runtime never half-closes
    socket.on("close", () => {
      const sink = this.#sink;
      this.#sink = undefined;
      sink?.closed(this.#cause);
    });
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.destroyed) throw new Error("the connection to the runtime is closed", { cause: this.#cause });
    this.#socket.write(bytes);
  }

  listen(sink: ByteSink): void {
    this.#sink = sink;
    this.#socket.on("data", (chunk: Buffer) => sink.data(chunk));
    this.#socket.resume();
    if (this.#socket.destroyed) queueMicrotask(() => sink.closed(this.#cause));
  }

  close(cause?: Error): void {
    this.#cause ??= cause;
    this.#socket.destroy();
  }
}
