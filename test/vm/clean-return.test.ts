/** Links of a real driver come home clean, on a kernel that is not this machine's: guest/clean-return.test.ts says how. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type GuestTests, startGuestTests } from "../lab/vm/guest-tests.ts";

/** With a first start, which fetches the parts of the machine. */
const START_LIMIT_MS = 900_000;

describe("a machine with an igb port", () => {
  let guest: GuestTests;

  beforeAll(async () => {
    guest = await startGuestTests({ kernel: "k73", igb: 1, memoryMiB: 2048 });
    await guest.vm.run("modprobe -a igb dummy 8021q vrf macvlan ipvlan veth cls_bpf sch_ingress");
  }, START_LIMIT_MS);
  afterAll(() => guest?.[Symbol.asyncDispose]());

  test("what a pod did to it stays in the pod", async () => {
    for (const file of ["../kernel/programs.test.ts", "../kernel/ethtool.test.ts", "guest/clean-return.test.ts"]) {
      const result = await guest.run(join(import.meta.dir, file));
      expect(result.failures).toEqual([]);
      expect(result.passed).toBeGreaterThan(0);
    }
  });
});
