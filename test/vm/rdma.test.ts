/** RDMA as the kernel tells it, by Soft-RoCE and Soft-iWARP: guest/rdma.test.ts holds it against iproute2. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startGuestTests } from "../lab/vm/guest-tests.ts";
import type { KernelName } from "../lab/vm/kernel.ts";

const GUEST_TESTS = ["rdma", "rdma-move"].map((name) => join(import.meta.dir, `guest/${name}.test.ts`));

describe.each(["k73", "k612"] satisfies KernelName[])("kernel %s", (kernel) => {
  test.each(["shared", "exclusive"])("RDMA devices in %s mode are told as iproute2 tells them", async (mode) => {
    await using guest = await startGuestTests({
      kernel,
      // The mode can be changed while there is one namespace only, so it is set when the module is loaded.
      kernelArguments: `ib_core.netns_mode=${mode === "shared" ? 1 : 0}`,
    });
    await guest.vm.run("modprobe -a dummy rdma_rxe rdma_ucm ib_umad && modprobe siw || true");
    for (const file of GUEST_TESTS) {
      const result = await guest.run(file);
      expect(result.failures).toEqual([]);
      expect(result.passed).toBeGreaterThan(0);
    }
  });
});
