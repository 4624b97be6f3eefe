import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { createLogger } from "../lib/log.ts";
import { keepMemorySmall } from "./idle-memory.ts";

test("keepMemorySmall() has the Workers shrink after the start and each hour, and unmaps code once they have", async () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const log = createLogger({ level: "debug", write: (line) => void told.push(JSON.parse(line).message) });
  const stop = new AbortController();
  const running = keepMemorySmall({ kernel: { shrink: () => void told.push("shrink") }, clock, log }, stop.signal);
  for (const waitMs of [30_000, 3_600_000]) {
    await eventually("it waits", () => clock.sleeping[0] === waitMs);
    clock.advance(waitMs);
    await eventually("it waits for the heaps", () => clock.sleeping[0] === 5_000);
    expect(told).toEqual(["shrink"]);
    clock.advance(5_000);
    await eventually("it has unmapped code", () => told.length === 2);
    expect(told.splice(0)).toEqual(["shrink", "code was unmapped"]);
  }
  stop.abort("enough");
  expect(await running.catch((reason: unknown) => reason)).toBe("enough");
});
