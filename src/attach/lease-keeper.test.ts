import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { bareFerry } from "../../test/lab/bare-ferry.ts";
import type { ClaimDevice } from "../claims/record.ts";
import { claimDevice } from "../claims/testing.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const DAY_MS = 86_400_000;

test("LeaseKeeper loses no lease because the clock is set", async () => {
  using place = bareFerry();
  const { store } = place;
  let set = 0;
  const nowMs = () => Date.now() + set;
  const events: string[] = [];
  const keeper = new LeaseKeeper({
    ...place,
    kernel: {
      openDhcpSocket: () => Promise.reject(new Error("the server is asked")),
      applySteps: () => Promise.reject(new Error("the link is changed")),
      listLinks: () => Promise.reject(new Error("the link is looked at")),
    },
    clock: { ...systemClock, nowMs },
    upMs: () => Date.now(),
    log: silentLogger,
    observer: {},
    onEvent: (event) => void events.push(event),
  });
  const lease = {
    address: "10.0.0.9",
    prefixLength: 24,
    server: "10.0.0.1",
    serverHardwareAddress: "02:00:00:00:00:02",
    hardwareAddress: "02:00:00:00:00:01",
    takenAtMs: nowMs(),
    seconds: 7200,
    renewAfterSeconds: 3600,
    rebindAfterSeconds: 6300,
    routes: [],
    metric: 1024,
  };
  const there = claimDevice({ sandboxId: "s1", state: "attached", lease });
  const atHome: ClaimDevice = claimDevice({ claimUid: "other", lease });
  store.putDurably([there, atHome]);
  const stop = new AbortController();
  const running = keeper.run(stop.signal);
  for (const days of [30, -60]) {
    set += days * DAY_MS;
    keeper.attached(there); // wakes it up
    const takenAtMs = lease.takenAtMs + set;
    for (const record of [there, atHome])
      await eventually("the lease is as old as before", () => {
        return Math.abs((store.get(record)?.lease?.takenAtMs ?? 0) - takenAtMs) < 1_000;
      });
  }
  stop.abort();
  await running;
  expect(events).toEqual([]);
  expect(store.get(there)?.lease?.lost).toBeUndefined();
});
