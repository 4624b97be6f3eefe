import { expect, test } from "bun:test";
import { ControlChannel } from "./control-channel.ts";

test("ControlChannel gives each command its own exit code, in whatever order they end and however lines are cut", async () => {
  const written: string[] = [];
  const channel = new ControlChannel((line) => written.push(line));
  channel.push("rea");
  channel.push("dy 3.25\n");
  expect(await channel.ready).toBe(3.25);
  const [first, second] = [channel.start(channel.next()), channel.start(channel.next())];
  expect(written).toEqual(["1\n", "2\n"]);
  channel.push("2 7\n1 ");
  channel.push("0\n");
  expect(await Promise.all([first, second])).toEqual([0, 7]);
});

test("ControlChannel.fail() ends what waits and what comes after", async () => {
  const channel = new ControlChannel(() => undefined);
  const waiting = channel.start(channel.next());
  channel.fail(new Error("the machine has ended"));
  await expect(waiting).rejects.toThrow("the machine has ended");
  await expect(channel.ready).rejects.toThrow("the machine has ended");
  await expect(channel.start(channel.next())).rejects.toThrow("the machine has ended");
});
