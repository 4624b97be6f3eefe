import { expect, test } from "bun:test";
import { Narrator } from "./narrator.ts";

function aNarrator(): { readonly narrator: Narrator; readonly text: () => string } {
  let text = "";
  const write = async (piece: string) => {
    text += piece;
  };
  return { narrator: new Narrator({ write, isColoured: false }), text: () => text.replaceAll(/ {3,}/g, "   ") };
}

test("step() tells its number, title and details, and answers what the task does", async () => {
  const { narrator, text } = aNarrator();
  const answer = await narrator.step("count", async (show) => {
    show("one\n\ntwo");
    return 3;
  });
  expect(answer).toBe(3);
  expect(text()).toBe(" 1. count   ok\n   one\n   two\n");
  expect(narrator.hasFailed).toBe(false);
});

test("step() tells why a task failed, and throws it on", async () => {
  const { narrator, text } = aNarrator();
  const failing = narrator.step("count", async (show) => {
    show("one");
    throw new Error("nothing more to count", { cause: new Error("it is late") });
  });
  expect(await failing.catch((error: unknown) => error)).toHaveProperty("message", "nothing more to count");
  expect(text()).toBe(" 1. count   FAILED\n   one\n   nothing more to count: it is late\n");
  expect(narrator.hasFailed).toBe(true);
});

test("stop() lets no step begin, and keeps quiet about the one under way", async () => {
  const { narrator, text } = aNarrator();
  const reason = new Error("enough");
  const underway = narrator.step("count", async () => {
    narrator.stop(reason);
    throw new Error("torn away");
  });
  expect(await underway.catch((error: unknown) => error)).toBe(reason);
  expect(await narrator.step("go on", async () => 1).catch((error: unknown) => error)).toBe(reason);
  expect(text()).toBe(" 1. count   ");
  expect(narrator.hasFailed).toBe(false);
});
