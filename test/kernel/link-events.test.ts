/** Link events when there are too many of them. */

import { expect, test } from "bun:test";
import { watchEvents } from "../../src/kernel/watch.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { LINK_EVENTS, NetlinkEvents } from "../../src/netlink/events.ts";
import { eventually, ip, uniqueName } from "../lab/netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

/** Many more events than a page holds, while nobody reads. */
function flood(): void {
  for (let round = 0; round < 5; round++) {
    const ifname = uniqueName("nfl");
    ip("link", "add", ifname, "type", "veth");
    ip("link", "del", ifname);
  }
}

test("NetlinkEvents says that it is lost when its buffer overflows", async () => {
  const lost: string[] = [];
  await using _events = await NetlinkEvents.open({
    source: LINK_EVENTS,
    onChange: () => undefined,
    onLost: (reason) => lost.push(reason.message),
    receiveBufferBytes: 4096,
  });
  flood();
  await eventually("the loss", () => lost.length > 0);
  expect(lost).toEqual([expect.stringContaining("ENOBUFS")]);
});

test("watchEvents() opens anew after an overflow, tells of a change, and hears what comes then", async () => {
  const stop = new AbortController();
  const failures: Error[] = [];
  let changes = 0;
  const watching = watchEvents({
    sources: [LINK_EVENTS],
    clock: systemClock,
    onChange: () => {
      changes += 1;
    },
    onFailure: (error) => failures.push(error),
    signal: stop.signal,
    receiveBufferBytes: 4096,
  });
  await eventually("the first change, told when the watch begins", () => changes === 1);
  for (let round = 0; round < 3; round++) {
    const before = changes;
    flood();
    await eventually("a change, whatever was lost", () => changes > before);
    await quiet(() => changes);
    const calm = changes;
    const ifname = uniqueName("nfl");
    ip("link", "add", ifname, "type", "veth");
    await eventually("hearing of one link", () => changes > calm);
    ip("link", "del", ifname);
    await quiet(() => changes);
  }
  stop.abort();
  await watching;
  expect(failures).toEqual([]);
});

/** Waits until a counter stands still: what is counted after that comes from what is done after that. */
async function quiet(counter: () => number): Promise<void> {
  let last = -1;
  let since = performance.now();
  await eventually("quiet", () => {
    if (counter() !== last) [last, since] = [counter(), performance.now()];
    return performance.now() - since > 100;
  });
}
