import { expect, test } from "bun:test";
import { KeyedMutex } from "./keyed-mutex.ts";

test("KeyedMutex.run() keeps the order within a key and forgets the key after the last task", async () => {
  const mutex = new KeyedMutex();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const one = mutex.run("a", async () => {
    await first.promise;
    seen.push("one");
  });
  const two = mutex.run("a", async () => {
    seen.push("two");
  });
  const other = mutex.run("b", async () => {
    seen.push("other");
  });
  await other;
  expect(seen).toEqual(["other"]);
  first.resolve();
  await Promise.all([one, two]);
  expect(seen).toEqual(["other", "one", "two"]);
  await Promise.resolve();
  expect(mutex.busyKeys).toBe(0);
});

test("KeyedMutex.run() goes on after a task that failed", async () => {
  const mutex = new KeyedMutex();
  const failed = mutex.run("a", () => Promise.reject(new Error("no")));
  const next = mutex.run("a", () => Promise.resolve(7));
  expect(failed).rejects.toThrow("no");
  expect(await next).toBe(7);
});

test("KeyedMutex.idle() waits for tasks of all keys, also for those that come meanwhile", async () => {
  const mutex = new KeyedMutex();
  await mutex.idle();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  void mutex.run("a", async () => {
    await first.promise;
    void mutex.run("b", async () => {
      seen.push("late");
    });
  });
  const idle = mutex.idle().then(() => seen.push("idle"));
  first.resolve();
  await idle;
  expect(seen).toEqual(["late", "idle"]);
});
