/** Sockets and namespaces of one kernel Worker. */

import { closeHomeNetns, homeNetns, inNetns, type Sync } from "../../ffi/netns.ts";
import { NETLINK_ROUTE } from "../netlink/constants.ts";
import { NETLINK_GENERIC } from "../netlink/ethtool-constants.ts";
import { NetlinkSocket } from "../netlink/socket.ts";
import { NETLINK_RDMA } from "../rdma/constants.ts";
import type { NetnsRef } from "./calls.ts";

/**
 * The host's sockets are kept. Sockets of other namespaces live for one call: the number of a descriptor says nothing
 * about the namespace that it stood for the last time.
 */
export class Namespaces implements Disposable {
  readonly #host = new Map<number, NetlinkSocket>();

  /** Runs `task` with a route socket of the namespace. The thread itself stays at home. */
  withSocket<T>(netns: NetnsRef, task: (socket: NetlinkSocket) => T): T {
    return this.#withProtocol(netns, NETLINK_ROUTE, task);
  }

  /** The same with a socket of generic netlink. */
  withGeneric<T>(netns: NetnsRef, task: (socket: NetlinkSocket) => T): T {
    return this.#withProtocol(netns, NETLINK_GENERIC, task);
  }

  /** The same with a socket of NETLINK_RDMA. */
  withRdma<T>(netns: NetnsRef, task: (socket: NetlinkSocket) => T): T {
    return this.#withProtocol(netns, NETLINK_RDMA, task);
  }

  /** Runs `task` with the thread in the namespace: for sysctls and bpf(2), which are the thread's. */
  inside<T>(netns: NetnsRef, task: () => Sync<T>): Sync<T> {
    return netns === "host" ? task() : inNetns(netns.fd, task);
  }

  /** A descriptor of the namespace for the kernel to move a link to. */
  descriptor(netns: NetnsRef): number {
    return netns === "host" ? homeNetns() : netns.fd;
  }

  [Symbol.dispose](): void {
    for (const protocol of [...this.#host.keys()]) this.#closeHost(protocol);
    closeHomeNetns();
  }

  #withProtocol<T>(netns: NetnsRef, protocol: number, task: (socket: NetlinkSocket) => T): T {
    if (netns === "host") return this.#withHostSocket(protocol, task);
    using socket = inNetns(netns.fd, () => new NetlinkSocket(protocol));
    return task(socket);
  }

  #withHostSocket<T>(protocol: number, task: (socket: NetlinkSocket) => T): T {
    const socket = this.#host.get(protocol) ?? new NetlinkSocket(protocol);
    this.#host.set(protocol, socket);
    try {
      return task(socket);
    } finally {
      if (socket.spoilt) this.#closeHost(protocol);
    }
  }

  #closeHost(protocol: number): void {
    this.#host.get(protocol)?.[Symbol.dispose]();
    this.#host.delete(protocol);
  }
}
