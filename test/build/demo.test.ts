import { expect, test } from "bun:test";
import { executablePath, runToEnd } from "./executable.ts";

test("netferry demo runs from the bare executable, in any directory", async () => {
  const startMs = performance.now();
  const { code, stdout, stderr } = await runToEnd([executablePath("amd64"), "demo"], "/");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("Every step held.");
  console.log(`the demo took ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
});
