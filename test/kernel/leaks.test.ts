/** The net itself: it must notice what it is there for. */

import { expect, test } from "bun:test";
import { NlSocket } from "../../ffi/libnl.ts";
import { liveHandles } from "../../ffi/owned.ts";
import { failOnLeaks, openDescriptors } from "../leaks.ts";

failOnLeaks();

test("openDescriptors() and liveHandles() count a socket until it is disposed", () => {
  const before = { descriptors: openDescriptors(), handles: liveHandles() };
  {
    using _socket = new NlSocket(0);
    expect(openDescriptors()["socket"]).toBe((before.descriptors["socket"] ?? 0) + 1);
    expect(liveHandles()["nl_socket_alloc"]).toBe((before.handles["nl_socket_alloc"] ?? 0) + 1);
  }
  expect({ descriptors: openDescriptors(), handles: liveHandles() }).toEqual(before);
});
