/** Links that stand on others, and VRFs, on a kernel that has them all: guest/children.test.ts and guest/vrf.test.ts. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type GuestTests, startGuestTests } from "../lab/vm/guest-tests.ts";

/** With a first start, which fetches the parts of the machine. */
const START_LIMIT_MS = 900_000;

describe("a machine with links of every kind", () => {
  let guest: GuestTests;

  beforeAll(async () => {
    guest = await startGuestTests({ kernel: "k73", memoryMiB: 3072 });
    await guest.vm.run("modprobe -a dummy 8021q vrf macvlan ipvlan veth");
  }, START_LIMIT_MS);
  afterAll(() => guest?.[Symbol.asyncDispose]());

  test.each(["kinds", "vrf", "children"])("%s", async (name) => {
    const result = await guest.run(join(import.meta.dir, `guest/${name}.test.ts`));
    expect(result.failures).toEqual([]);
    expect(result.passed).toBeGreaterThan(0);
  });
});
