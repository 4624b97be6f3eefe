import { expect, spyOn, test } from "bun:test";
import { dranetHook, isDranetHook } from "./dranet-hook.ts";

test("isDranetHook() goes by the last part of the name that the executable was called by", () => {
  expect(["/dranet-hook", "dranet-hook", "/opt/dranet/bin/dranet-hook"].every(isDranetHook)).toBe(true);
  expect(["/netferry", "bun", "", "/dranet-hook/netferry"].some(isDranetHook)).toBe(false);
});

test("dranetHook() says that nothing is installed, and that it went well", () => {
  using log = spyOn(console, "log").mockImplementation(() => undefined);
  expect(dranetHook(["install", "/host/opt/dranet/bin"])).toBe(0);
  expect(log.mock.calls.join()).toContain("netferry installs no hook in /host/opt/dranet/bin");
});

test.each([[[]], [["install"]], [["install", "/a", "/b"]], [["wait", "--pod-uid", "1"]]])(
  "dranetHook(%j) is refused: no container waits by a hook",
  (argv) => {
    expect(() => dranetHook(argv)).toThrow('netferry knows only "dranet-hook install DIR"');
  },
);
