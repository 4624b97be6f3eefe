import { expect, test } from "bun:test";
import { constants } from "node:os";
import { openFile } from "./libc.ts";
import { closeHomeNetns, holdNetns } from "./netns.ts";
import { liveHandles } from "./owned.ts";
import { SysError } from "./sys-error.ts";

function errnoOf(task: () => unknown): number {
  try {
    task();
  } catch (error) {
    if (error instanceof SysError) return error.errno;
    throw error;
  }
  throw new Error("the task succeeded");
}

test("holdNetns() says by errno what is wrong with the path, and leaves nothing open", () => {
  expect(errnoOf(() => holdNetns("/nonexistent/netns"))).toBe(constants.errno.ENOENT);
  // Without privilege the kernel may refuse before it looks: both mean that this is no namespace to be held.
  expect([constants.errno.EINVAL, constants.errno.EPERM]).toContain(errnoOf(() => holdNetns("/etc/hostname")));
  closeHomeNetns();
  expect(liveHandles()["descriptor"]).toBeUndefined();
});

test("openFile() reports the errno of its own call, however often another failed before", () => {
  for (let round = 0; round < 2000; round++) {
    expect(errnoOf(() => openFile("/nonexistent", 0))).toBe(constants.errno.ENOENT);
    expect(errnoOf(() => openFile("/etc/hostname/x", 0))).toBe(constants.errno.ENOTDIR);
  }
});
