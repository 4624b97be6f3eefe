/**
 * Changes of links, addresses, routes and RDMA devices in this thread's namespace, without polling: a netlink socket in
 * the event loop. What changed is not told: events may be lost, so whoever listens lists again anyway.
 */

import { duplicate } from "../../ffi/libc.ts";
import { NlSocket } from "../../ffi/libnl.ts";
import * as k from "./constants.ts";

/** What to listen to. */
export interface EventSource {
  readonly protocol: number;
  readonly groups: readonly number[];
  /** Whether a message is one of those; absent: all are. */
  readonly concerns?: (message: Uint8Array) => boolean;
}

export const LINK_EVENTS: EventSource = {
  protocol: k.NETLINK_ROUTE,
  groups: [k.RTNLGRP_LINK, k.RTNLGRP_IPV4_IFADDR, k.RTNLGRP_IPV6_IFADDR, k.RTNLGRP_IPV4_ROUTE, k.RTNLGRP_IPV6_ROUTE],
};

/** The kernel's own uevents, as lines that end with a zero byte (lib/kobject_uevent.c): no netlink protocol tells sooner. */
const RDMA_SUBSYSTEM = Buffer.from("\0SUBSYSTEM=infiniband\0");
const UEVENT_GROUP = 1;

export const RDMA_EVENTS: EventSource = {
  protocol: k.NETLINK_KOBJECT_UEVENT,
  groups: [UEVENT_GROUP],
  concerns: (message) => Buffer.from(message.buffer, message.byteOffset, message.length).includes(RDMA_SUBSYSTEM),
};

/** Some thousand links may come and go in one breath. */
const RECEIVE_BUFFER_BYTES = 2 << 20;

export interface NetlinkEventsOptions {
  readonly source: EventSource;
  /** Something changed. */
  readonly onChange: () => void;
  /**
   * The socket is dead, because its buffer overflowed (ENOBUFS) or for another reason: events were lost. Dispose this
   * one, open another, and list again.
   */
  readonly onLost: (reason: Error) => void;
  readonly receiveBufferBytes?: number;
}

export class NetlinkEvents implements AsyncDisposable {
  readonly #socket: NlSocket;
  readonly #closed = Promise.withResolvers<void>();
  #connection: Bun.Socket | undefined;
  #disposing = false;

  private constructor(socket: NlSocket) {
    this.#socket = socket;
  }

  /** Resolves when everything that happens from now on will be heard of. */
  static async open(options: NetlinkEventsOptions): Promise<NetlinkEvents> {
    using opening = new DisposableStack();
    const socket = opening.use(new NlSocket(options.source.protocol));
    for (const group of options.source.groups) socket.join(group);
    socket.setNonBlocking();
    socket.setReceiveBuffer(options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES);
    const events = new NetlinkEvents(socket);
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

  async #listen({ source, onChange, onLost }: NetlinkEventsOptions): Promise<void> {
    const lost = (reason: Error) => {
      this.#closed.resolve();
      if (!this.#disposing) onLost(reason);
    };
    const options: Bun.FdSocketOptions = {
      // The event loop closes the descriptor that it is given; libnl closes its own.
      fd: duplicate(this.#socket.fd).release(),
      socket: {
        data: (_socket, message) => {
          if (source.concerns?.(message) !== false) onChange();
        },
        close: (_socket, error) => lost(error ?? new Error("the event loop closed the netlink socket")),
        error: (_socket, error) => lost(error),
      },
    };
    // Bun takes a descriptor here, as its documentation says; its types forget it.
    this.#connection = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
  }
}
