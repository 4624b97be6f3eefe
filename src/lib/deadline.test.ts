import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { systemClock } from "./clock.ts";
import { Deadline } from "./deadline.ts";

test("Deadline aborts with its parent and with the parent's reason", () => {
  const parent = new AbortController();
  using deadline = new Deadline(parent.signal, 60_000);
  expect(deadline.signal.aborted).toBe(false);
  parent.abort(new Error("enough"));
  expect(deadline.signal.reason).toEqual(new Error("enough"));
  expect(deadline.expired).toBe(false);
  using late = new Deadline(parent.signal, 60_000);
  expect(late.signal.aborted).toBe(true);
});

test("Deadline expires after its limit, which restart() counts anew", async () => {
  const parent = new AbortController();
  using deadline = new Deadline(parent.signal, 200);
  for (const endMs = performance.now() + 250; performance.now() < endMs; ) {
    deadline.restart();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(deadline.expired).toBe(false);
  await eventually("it expires", () => deadline.expired);
  expect(String(deadline.signal.reason)).toContain("not done within 0.2 s");
});

test("Deadline and clock wait for longer than a timer can", async () => {
  using deadline = new Deadline(new AbortController().signal, 2 ** 31);
  const stop = new AbortController();
  const slept = systemClock.sleep(2 ** 40, stop.signal).then(
    () => "slept",
    () => "stopped",
  );
  await systemClock.sleep(20); // both would have gone off after 1 ms
  stop.abort();
  expect(await slept).toBe("stopped");
  expect(deadline.signal.aborted).toBe(false);
});

test("Deadline lets go of its parent when disposed", () => {
  const parent = new AbortController();
  const deadline = new Deadline(parent.signal, 60_000);
  deadline[Symbol.dispose]();
  parent.abort();
  expect(deadline.signal.aborted).toBe(false);
});
