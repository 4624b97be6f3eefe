import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { bareFerry } from "../../test/lab/bare-ferry.ts";
import type { ClaimDevice } from "../claims/record.ts";
import { aLease, claimDevice } from "../claims/testing.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const DAY_MS = 86_400_000;

test("LeaseKeeper loses no lease because the clock is set, be it while no agent runs", async () => {
  using place = bareFerry();
  const { store } = place;
  let set = 0;
  const nowMs = () => Date.now() + set;
  const events: string[] = [];
  /** Runs one while `task` runs. */
  const keeping = async (task: (keeper: LeaseKeeper) => Promise<void>) => {
    const keeper = new LeaseKeeper({
      ...place,
      kernel: {
        openDhcpSocket: () => Promise.reject(new Error("the server is asked")),
        applySteps: () => Promise.reject(new Error("the link is changed")),
        listLinks: () => Promise.reject(new Error("the link is looked at")),
      },
      clock: { ...systemClock, nowMs, upMs: () => Date.now() },
      log: silentLogger,
      observer: {},
      onEvent: (event) => void events.push(event),
    });
    const stop = new AbortController();
    const running = keeper.run(stop.signal);
    await task(keeper);
    stop.abort();
    await running;
  };
  const lease = aLease({ takenAtMs: nowMs(), seconds: 7200, renewAfterSeconds: 3600, rebindAfterSeconds: 6300 });
  const there = claimDevice({ sandboxId: "s1", state: "attached", lease });
  const atHome: ClaimDevice = claimDevice({ claimUid: "other", lease });
  store.putDurably([there, atHome]);
  const areAsOldAsBefore = async () => {
    const takenAtMs = lease.takenAtMs + set;
    for (const record of [there, atHome])
      await eventually("the lease is as old as before", () => {
        const known = store.get(record)?.lease;
        return known?.takenUpMs !== undefined && Math.abs(known.takenAtMs - takenAtMs) < 1_000;
      });
  };
  await keeping(async (keeper) => {
    await areAsOldAsBefore();
    for (const days of [30, -60]) {
      set += days * DAY_MS;
      keeper.attached(there); // wakes it up
      await areAsOldAsBefore();
    }
  });
  set += 90 * DAY_MS;
  await keeping(areAsOldAsBefore);
  expect(events).toEqual([]);
  expect(store.get(there)?.lease?.lost).toBeUndefined();
});
