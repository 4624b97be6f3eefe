import { expect, test } from "bun:test";
import { startupOptions } from "./startup-options.ts";

test("startupOptions() reads what is given, and has a hundred pods otherwise", () => {
  expect(startupOptions([])).toEqual({ pods: 100, idleSeconds: 600, hasDranet: true, writes: false });
  expect(startupOptions(["--pods", "20", "--idle=5", "--without-dranet", "--write"])).toEqual({
    pods: 20,
    idleSeconds: 5,
    hasDranet: false,
    writes: true,
  });
});

test.each([
  [["--pods", "abc"], "--pods is a whole number above 0, not abc."],
  [["--idle", "0"], "--idle is a whole number above 0, not 0."],
  [["--wirte"], "Unknown option '--wirte'"],
])("startupOptions() says what is wrong with %p", (args, problem) => {
  expect(() => startupOptions(args)).toThrow(problem);
});
