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

function messageOf(task: () => unknown): string {
  try {
    task();
  } catch (error) {
    return String(error);
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

test("holdNetns() says what stands at the path instead of a network namespace", () => {
  for (const [path, words] of [
    ["/etc/hostname", "it is a file and no namespace"],
    ["/proc/self/ns/mnt", "it is a mount namespace, not a network namespace"],
    ["/proc/self/ns/pid", "it is a PID namespace, not a network namespace"],
  ] as const) {
    const message = messageOf(() => holdNetns(path));
    if (!message.includes("EPERM")) expect(message).toContain(words);
  }
  closeHomeNetns();
});

test("openFile() reports the errno of its own call, however often another failed before", () => {
  for (let round = 0; round < 2000; round++) {
    expect(errnoOf(() => openFile("/nonexistent", 0))).toBe(constants.errno.ENOENT);
    expect(errnoOf(() => openFile("/etc/hostname/x", 0))).toBe(constants.errno.ENOTDIR);
  }
});
