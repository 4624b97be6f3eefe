import { closeSync } from "node:fs";
import type { KernelCalls, NetnsRef } from "../../src/kernel/calls.ts";
import { TestNetns } from "./netns.ts";

/** A test's namespace that is also held by descriptor, as the agent holds a pod's. */
export class HeldTestNetns extends TestNetns {
  readonly ref: NetnsRef & { readonly fd: number };
  readonly inode: number;

  constructor(calls: Pick<KernelCalls, "holdNetns">, prefix?: string) {
    super(prefix);
    const { fd, inode } = calls.holdNetns({ path: this.path });
    this.ref = { fd };
    this.inode = inode;
  }

  override [Symbol.dispose](): void {
    closeSync(this.ref.fd);
    super[Symbol.dispose]();
  }
}
