/** Sockets and namespaces of one kernel Worker. */

import { closeHomeNetns, homeNetns, inNetns, type Sync } from "../../ffi/netns.ts";
import { NetlinkSocket } from "../netlink/socket.ts";
import type { NetnsRef } from "./calls.ts";

/**
 * The host's socket is kept. Sockets of other namespaces live for one call: the number of a descriptor says nothing
 * about the namespace that it stood for the last time.
 */
export class Namespaces implements Disposable {
  #host: NetlinkSocket | undefined;

  /** Runs `task` with a route socket of the namespace. The thread itself stays at home. */
  withSocket<T>(netns: NetnsRef, task: (socket: NetlinkSocket) => T): T {
    if (netns === "host") return this.#withHostSocket(task);
    using socket = inNetns(netns.fd, () => new NetlinkSocket());
    return task(socket);
  }

  /** Runs `task` with the thread in the namespace: for sysctls, which are the thread's. */
  inside<T>(netns: NetnsRef, task: () => Sync<T>): Sync<T> {
    return netns === "host" ? task() : inNetns(netns.fd, task);
  }

  /** A descriptor of the namespace for the kernel to move a link to. */
  descriptor(netns: NetnsRef): number {
    return netns === "host" ? homeNetns() : netns.fd;
  }

  [Symbol.dispose](): void {
    this.#host?.[Symbol.dispose]();
    this.#host = undefined;
    closeHomeNetns();
  }

  #withHostSocket<T>(task: (socket: NetlinkSocket) => T): T {
    this.#host ??= new NetlinkSocket();
    try {
      return task(this.#host);
    } finally {
      if (this.#host.spoilt) {
        this.#host[Symbol.dispose]();
        this.#host = undefined;
      }
    }
  }
}
