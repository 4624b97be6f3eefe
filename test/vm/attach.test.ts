/** Devices that this machine's kernel does not have go into pods and come home: guest/attach.test.ts says how. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type GuestTests, startGuestTests } from "../lab/vm/guest-tests.ts";

/** With a first start, which fetches the parts of the machine. */
const START_LIMIT_MS = 900_000;

describe("a machine with two igb ports", () => {
  let guest: GuestTests;

  beforeAll(async () => {
    guest = await startGuestTests({ kernel: "k73", igb: 2, memoryMiB: 3072 });
    await guest.vm.run("modprobe -a igb dummy 8021q vrf macvlan ipvlan veth");
  }, START_LIMIT_MS);
  afterAll(() => guest?.[Symbol.asyncDispose]());

  test("ports, VFs, and virtual links of every kind keep the promise", async () => {
    const result = await guest.run(join(import.meta.dir, "guest/attach.test.ts"));
    expect(result.failures).toEqual([]);
    expect(result.passed).toBeGreaterThan(0);
  });
});
