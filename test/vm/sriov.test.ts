/** SR-IOV on a kernel and hardware that are not this machine's: the files in guest/ say how. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type GuestTests, startGuestTests } from "../lab/vm/guest-tests.ts";

/** With a first start, which fetches the parts of the machine. */
const START_LIMIT_MS = 900_000;

describe("a machine with two igb ports and an IOMMU", () => {
  let guest: GuestTests;

  beforeAll(async () => {
    guest = await startGuestTests({ kernel: "k73", igb: 2, iommu: true, memoryMiB: 3072 });
    await guest.vm.run("modprobe -a igb igbvf dummy 8021q veth vfio-pci vhost_net tun");
  }, START_LIMIT_MS);
  afterAll(() => guest?.[Symbol.asyncDispose]());

  test.each(["vf", "vf-crash", "vf-node"])("guest/%s.test.ts holds", async (name) => {
    const result = await guest.run(join(import.meta.dir, `guest/${name}.test.ts`));
    expect(result.failures).toEqual([]);
    expect(result.passed).toBeGreaterThan(0);
  });
});
