/** RDMA by Soft-RoCE and Soft-iWARP: as iproute2 tells it, moved, and taken into pods and home. guest/rdma*.test.ts say how. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startGuestTests } from "../lab/vm/guest-tests.ts";
import type { KernelName } from "../lab/vm/kernel.ts";

const GUEST_TESTS = ["rdma", "rdma-move", "rdma-ferry"].map((name) => join(import.meta.dir, `guest/${name}.test.ts`));

describe.each(["k73", "k612"] satisfies KernelName[])("kernel %s", (kernel) => {
  test.each(["shared", "exclusive"])("RDMA devices in %s mode", async (mode) => {
    await using guest = await startGuestTests({
      kernel,
      // The mode can be changed while there is one namespace only, so it is set when the module is loaded.
      kernelArguments: `ib_core.netns_mode=${mode === "shared" ? 1 : 0}`,
    });
    await guest.vm.run("modprobe -a dummy macvlan ipvlan rdma_rxe rdma_ucm ib_umad && modprobe siw || true");
    for (const file of GUEST_TESTS) {
      const result = await guest.run(file);
      expect(result.failures).toEqual([]);
      expect(result.passed).toBeGreaterThan(0);
    }
  });
});
