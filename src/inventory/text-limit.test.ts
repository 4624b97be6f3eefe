import { expect, test } from "bun:test";
import fc from "fast-check";
import { clampText, joinEntries } from "./text-limit.ts";

test("clampText() cuts between code points", () => {
  expect(clampText("x".repeat(64))).toBe("x".repeat(64));
  expect(clampText("x".repeat(65))).toBe("x".repeat(64));
  expect(clampText(`${"x".repeat(63)}ü`)).toBe("x".repeat(63));
  expect(clampText(`${"x".repeat(61)}🙂`)).toBe("x".repeat(61));
  expect(clampText(`${"x".repeat(60)}🙂`)).toBe(`${"x".repeat(60)}🙂`);
});

test("clampText() gives well-formed text of at most so many bytes that begins the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 100 }), fc.nat(70), (text, limit) => {
      const kept = clampText(text, limit);
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(limit);
      expect(text.toWellFormed().startsWith(kept)).toBe(true);
      if (Buffer.byteLength(text) <= limit) expect(kept).toBe(text.toWellFormed());
    }),
  );
});

test("joinEntries() sorts, drops doubles, and leaves out whole entries at the end", () => {
  expect(joinEntries(["b", "a", "b"])).toBe("a,b");
  expect(joinEntries(["bbbb", "aaaa", "c"], 9)).toBe("aaaa,bbbb");
  expect(joinEntries(["bbbb", "aaaa", "c"], 8)).toBe("aaaa");
  expect(joinEntries(["aaaa"], 3)).toBe("");
});
