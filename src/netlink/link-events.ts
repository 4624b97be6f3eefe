/**
 * Changes of links, addresses and routes in this thread's namespace, without polling: a netlink socket in the event
 * loop. What changed is not told: events may be lost, so whoever listens lists again anyway.
 */

import { duplicate } from "../../ffi/libc.ts";
import { NlSocket } from "../../ffi/libnl.ts";
import * as k from "./constants.ts";

const GROUPS = [
  k.RTNLGRP_LINK,
  k.RTNLGRP_IPV4_IFADDR,
  k.RTNLGRP_IPV6_IFADDR,
  k.RTNLGRP_IPV4_ROUTE,
  k.RTNLGRP_IPV6_ROUTE,
];

/** Some thousand links may come and go in one breath. */
const RECEIVE_BUFFER_BYTES = 2 << 20;

export interface LinkEventsOptions {
  /** Something changed. */
  readonly onChange: () => void;
  /**
   * The socket is dead, because its buffer overflowed (ENOBUFS) or for another reason: events were lost. Dispose this
   * one, open another, and list again.
   */
  readonly onLost: (reason: Error) => void;
  readonly receiveBufferBytes?: number;
}

export class LinkEvents implements AsyncDisposable {
  readonly #socket: NlSocket;
  readonly #closed = Promise.withResolvers<void>();
  #connection: Bun.Socket | undefined;
  #disposing = false;

  private constructor(socket: NlSocket) {
    this.#socket = socket;
  }

  /** Resolves when everything that happens from now on will be heard of. */
  static async open(options: LinkEventsOptions): Promise<LinkEvents> {
    using opening = new DisposableStack();
    const socket = opening.use(new NlSocket(k.NETLINK_ROUTE));
    for (const group of GROUPS) socket.join(group);
    socket.setNonBlocking();
    socket.setReceiveBuffer(options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES);
    const events = new LinkEvents(socket);
    await events.#listen(options);
    opening.move();
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposing) return;
    this.#disposing = true;
    this.#connection?.terminate();
    await this.#closed.promise;
    this.#socket[Symbol.dispose]();
  }

  async #listen({ onChange, onLost }: LinkEventsOptions): Promise<void> {
    const lost = (reason: Error) => {
      this.#closed.resolve();
      if (!this.#disposing) onLost(reason);
    };
    const options: Bun.FdSocketOptions = {
      // The event loop closes the descriptor that it is given; libnl closes its own.
      fd: duplicate(this.#socket.fd).release(),
      socket: {
        data: onChange,
        close: (_socket, error) => lost(error ?? new Error("the event loop closed the netlink socket")),
        error: (_socket, error) => lost(error),
      },
    };
    // Bun takes a descriptor here, as its documentation says; its types forget it.
    this.#connection = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
  }
}
