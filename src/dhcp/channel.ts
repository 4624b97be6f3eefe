/** A DHCP socket in this thread's event loop. The socket's namespace is the one that it was opened in; no thread is there. */

import { adoptDescriptor, sendDatagram } from "../../ffi/dhcp-socket.ts";
import { duplicate } from "../../ffi/libc.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { DhcpChannel, Incoming } from "./client.ts";
import { BROADCAST_HARDWARE, BROADCAST_IP, decodeFrame, encodeFrame } from "./frame.ts";
import { type DhcpMessage, decodeMessage, encodeMessage } from "./message.ts";

/** How a message becomes what the socket carries, and back. */
interface Wrapping {
  readonly wrap: (message: DhcpMessage) => Uint8Array;
  /** Throws ProtocolError. */
  readonly unwrap: (bytes: Uint8Array) => Incoming;
}

/** To everybody on the link, from the client's address where it has one. */
export function broadcasting(linkAddress: string): Wrapping {
  return framing({ from: linkAddress, to: BROADCAST_HARDWARE, destination: BROADCAST_IP });
}

/** To one server, by the hardware address that its frames had. */
export function framing(way: { readonly from: string; readonly to: string; readonly destination: string }): Wrapping {
  return {
    wrap: (message) => encodeFrame({ ...way, source: message.ciaddr, payload: encodeMessage(message) }),
    unwrap: (bytes) => {
      const { from, payload } = decodeFrame(bytes);
      return { message: decodeMessage(payload), hardwareAddress: from };
    },
  };
}

/** Whoever floods the link is not kept in memory. */
const MAX_WAITING = 64;

export class SocketChannel implements DhcpChannel, AsyncDisposable {
  readonly #socket: ReturnType<typeof adoptDescriptor>;
  readonly #wrapping: Wrapping;
  readonly #target: string;
  readonly #closed = Promise.withResolvers<void>();
  readonly #waiting: Incoming[] = [];
  #wake: (() => void) | undefined;
  #connection: Bun.Socket | undefined;
  #death: Error | undefined;

  private constructor(fd: number, wrapping: Wrapping, target: string) {
    this.#socket = adoptDescriptor(fd);
    this.#wrapping = wrapping;
    this.#target = target;
  }

  /** Owns `fd` from here on. `target` names the link in errors. */
  static async open(fd: number, wrapping: Wrapping, target: string): Promise<SocketChannel> {
    const channel = new SocketChannel(fd, wrapping, target);
    try {
      await channel.#listen();
      return channel;
    } catch (error) {
      channel.#socket[Symbol.dispose]();
      throw error;
    }
  }

  send(message: DhcpMessage): void {
    sendDatagram(this.#socket.fd, this.#wrapping.wrap(message), `DHCP message over ${this.#target}`);
  }

  async receive(signal: AbortSignal): Promise<Incoming> {
    for (;;) {
      const incoming = this.#waiting.shift();
      if (incoming !== undefined) return incoming;
      if (this.#death !== undefined) throw this.#death;
      signal.throwIfAborted();
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      signal.addEventListener("abort", () => woken.resolve(), { once: true });
      await woken.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.terminate();
    await this.#closed.promise;
    this.#socket[Symbol.dispose]();
  }

  async #listen(): Promise<void> {
    const died = (reason: Error) => {
      this.#death ??= new Error(`the DHCP socket of ${this.#target} died`, { cause: reason });
      this.#wake?.();
    };
    const options: Bun.FdSocketOptions = {
      // The event loop closes the descriptor that it is given; we send by our own.
      fd: duplicate(this.#socket.fd).release(),
      socket: {
        data: (_socket, bytes) => this.#receive(bytes),
        close: (_socket, error) => {
          died(error ?? new Error("the event loop closed it"));
          this.#closed.resolve();
        },
        error: (_socket, error) => died(error),
      },
    };
    // Bun takes a descriptor here, as its documentation says; its types forget it. Each datagram is a call of `data`.
    this.#connection = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
  }

  #receive(bytes: Uint8Array): void {
    try {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(this.#wrapping.unwrap(bytes));
    } catch (error) {
      // Anybody on the link may send anything: what is no DHCP message is not for us.
      if (!(error instanceof ProtocolError)) throw error;
    }
    this.#wake?.();
  }
}
