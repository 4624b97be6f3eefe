/** A ferry for tests of it alone: everything is real but, in unit tests, the kernel, of which nothing is asked for a device without a link. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ferry } from "../../src/attach/ferry.ts";
import { HeldNamespaces } from "../../src/attach/held-namespaces.ts";
import type { AttachObserver, AttachParts } from "../../src/attach/parts.ts";
import { Receipts } from "../../src/cdi/receipts.ts";
import { ClaimStore } from "../../src/claims/store.ts";
import { claimDevice } from "../../src/claims/testing.ts";
import type { Kernel } from "../../src/kernel/calls.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";

const UNASKED = new Proxy({} as Kernel, {
  get(_, call) {
    throw new Error(`the kernel is asked for ${String(call)}`);
  },
});

export const NODE = { path: "/dev/infiniband/uverbs0", major: 231, minor: 192, permissions: "rw" };

/** A record of a device without a link. */
export const bareDevice = (over: Parameters<typeof claimDevice>[0] = {}) =>
  claimDevice({
    device: "pci-0000-3b-00-1",
    published: { name: "pci-0000-3b-00-1", identity: { pciAddress: "0000:3b:00.1" }, attributes: {} },
    plan: { steps: [], deviceNodes: [NODE] },
    ...over,
  });

export interface BareFerry extends Disposable {
  readonly ferry: Ferry;
  readonly store: ClaimStore;
  readonly held: HeldNamespaces;
  readonly receipts: Receipts;
  /** Of the receipts. */
  readonly directory: string;
}

export function bareFerry(observer: AttachObserver = {}, kernel: Partial<Kernel> = {}): BareFerry {
  const directory = mkdtempSync(join(tmpdir(), "netferry-bare-"));
  const store = ClaimStore.open(":memory:", "boot");
  const asked = new Proxy(kernel as Kernel, {
    get: (known, call: keyof Kernel) => known[call] ?? UNASKED[call],
  });
  return {
    ...ferryOver({ kernel: asked, store, directory, observer }),
    store,
    directory,
    [Symbol.dispose]() {
      store[Symbol.dispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

/** A ferry over what is there already, as after a restart: nothing is held. `directory` is that of the receipts. */
export function ferryOver({
  kernel,
  store,
  directory,
  observer = {},
}: Pick<AttachParts, "kernel" | "store"> & { readonly directory: string; readonly observer?: AttachObserver }): Pick<
  BareFerry,
  "ferry" | "held" | "receipts"
> {
  const held = new HeldNamespaces(kernel);
  const receipts = new Receipts(directory, "dra.net");
  const ferry = new Ferry({
    kernel,
    slowKernel: kernel,
    sysfsRoot: "/sys",
    store,
    held,
    receipts,
    driver: "dra.net",
    clock: systemClock,
    log: silentLogger,
    observer,
  });
  return { ferry, held, receipts };
}

export function sandboxOf(id: string, podUid = "pod") {
  return { id, podUid, podName: "p", podNamespace: "ns", netnsPath: `/run/netns/${id}` };
}
