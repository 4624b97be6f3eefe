/** RDMA devices come late, go into pods and come home, by Soft-RoCE in an emulated machine: guest/rdma-*.test.ts say how. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { startGuestTests } from "../lab/vm/guest-tests.ts";
import type { KernelName } from "../lab/vm/kernel.ts";

/** A node's pods, at the speed of an emulated machine. */
const LIMIT_MS = 1_800_000;
const LINKS = ["dummy", "macvlan", "veth"];
const MODULES = [...LINKS, "rdma_rxe", "rdma_ucm", "ib_umad"];

interface Guest {
  readonly kernel: KernelName;
  readonly mode: "exclusive" | "shared";
  readonly modules: readonly string[];
}

test.each<[string, Guest]>([
  ["rdma-exclusive", { kernel: "k73", mode: "exclusive", modules: MODULES }],
  ["rdma-shared", { kernel: "k73", mode: "shared", modules: MODULES }],
  ["rdma-refused", { kernel: "k612", mode: "exclusive", modules: MODULES }],
  ["rdma-late", { kernel: "k73", mode: "shared", modules: LINKS }],
])(
  "guest/%s.test.ts",
  async (file, { kernel, mode, modules }) => {
    await using guest = await startGuestTests({
      kernel,
      memoryMiB: 3072,
      // The mode can be changed while there is one namespace only, so it is set when the module is loaded.
      kernelArguments: `ib_core.netns_mode=${mode === "exclusive" ? 0 : 1}`,
    });
    await guest.vm.run(`modprobe -a ${modules.join(" ")}`);
    const result = await guest.run(join(import.meta.dir, `guest/${file}.test.ts`));
    expect(result.failures).toEqual([]);
    expect(result.passed).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
