import { expect, test } from "bun:test";
import { uptimeMs } from "./uptime.ts";

test("uptimeMs() is the kernel's", () => {
  const before = uptimeMs("/proc");
  expect(before).toBeGreaterThan(0);
  expect(uptimeMs("/proc")).toBeWithin(before, before + 60_000);
});
