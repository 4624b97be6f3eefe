import { closeSync } from "node:fs";
import type { HeldNetns, Kernel } from "../kernel/calls.ts";
import type { NetnsFiles } from "./netns-files.ts";

/**
 * The namespaces that netferry keeps alive, by sandbox: as long as one of our devices is in it, a namespace must not
 * die, because the kernel destroys virtual links with it and drops hardware, renamed, into the host.
 */
export class HeldNamespaces implements Disposable {
  readonly #kernel: Pick<Kernel, "holdNetns">;
  readonly #files: Pick<NetnsFiles, "local">;
  readonly #held = new Map<string, HeldNetns>();

  /** Without `files` the runtime's paths are taken as they are. */
  constructor(kernel: Pick<Kernel, "holdNetns">, files: Pick<NetnsFiles, "local"> = { local: (path) => path }) {
    this.#kernel = kernel;
    this.#files = files;
  }

  /** The namespace of this sandbox, opened by `path` at first. Throws SysError ENOENT when it is gone. */
  async hold(sandboxId: string, path: string): Promise<HeldNetns> {
    const known = this.#held.get(sandboxId);
    if (known !== undefined) return known;
    const opened = await this.#kernel.holdNetns({ path: this.#files.local(path) });
    const raced = this.#held.get(sandboxId);
    if (raced !== undefined) {
      closeSync(opened.fd);
      return raced;
    }
    this.#held.set(sandboxId, opened);
    return opened;
  }

  get(sandboxId: string): HeldNetns | undefined {
    return this.#held.get(sandboxId);
  }

  release(sandboxId: string): void {
    const held = this.#held.get(sandboxId);
    if (held === undefined) return;
    this.#held.delete(sandboxId);
    closeSync(held.fd);
  }

  get count(): number {
    return this.#held.size;
  }

  [Symbol.dispose](): void {
    for (const sandboxId of [...this.#held.keys()]) this.release(sandboxId);
  }
}
