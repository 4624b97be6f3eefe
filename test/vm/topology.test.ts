/** Devices of two NUMA nodes: which are given together, and where their containers run: guest/topology.test.ts says how. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type GuestTests, startGuestTests } from "../lab/vm/guest-tests.ts";

/** With a first start, which fetches the parts of the machine. */
const START_LIMIT_MS = 900_000;

describe("a machine of two NUMA nodes with a port and VFs each", () => {
  let guest: GuestTests;

  beforeAll(async () => {
    guest = await startGuestTests({ kernel: "k73", igb: 2, numa: 2, memoryMiB: 3072 });
    await guest.vm.run("modprobe -a igb igbvf macvlan veth");
  }, START_LIMIT_MS);
  afterAll(() => guest?.[Symbol.asyncDispose]());

  test("claims are aligned in standalone mode, and containers with them", async () => {
    const result = await guest.run(join(import.meta.dir, "guest/topology.test.ts"));
    expect(result.failures).toEqual([]);
    expect(result.passed).toBeGreaterThan(0);
  });
});
