/** The net itself: it must notice what it is there for. */

import { expect, test } from "bun:test";
import { NlSocket } from "../../ffi/libnl.ts";
import { liveHandles } from "../../ffi/owned.ts";
import { added, failOnLeaks, openDescriptors } from "../leaks.ts";

failOnLeaks();

test("openDescriptors() and liveHandles() show a socket until it is disposed", () => {
  const descriptors = openDescriptors();
  const handles = liveHandles();
  const socket = new NlSocket(0);
  expect(added(descriptors, openDescriptors())).toEqual([expect.stringMatching(/^socket:\[\d+\]$/)]);
  expect(liveHandles()).toEqual({ ...handles, nl_socket_alloc: (handles["nl_socket_alloc"] ?? 0) + 1 });
  socket[Symbol.dispose]();
  expect(added(descriptors, openDescriptors())).toEqual([]);
  expect(liveHandles()).toEqual(handles);
});

test("added() counts what stands in both lists", () => {
  expect(added(["net:[1]", "socket:[2]"], ["socket:[3]", "net:[1]", "net:[1]"])).toEqual(["socket:[3]", "net:[1]"]);
});
