import { expect, test } from "bun:test";
import { RDMA_EVENTS } from "./events.ts";

const uevent = (...lines: readonly string[]) => new Uint8Array(Buffer.from(lines.map((line) => `${line}\0`).join("")));

test("RDMA_EVENTS concern RDMA devices, and not their character devices or anything else", () => {
  const device = "/devices/virtual/infiniband/rxe0";
  const add = uevent(`add@${device}`, "ACTION=add", `DEVPATH=${device}`, "SUBSYSTEM=infiniband", "SEQNUM=1234");
  expect(RDMA_EVENTS.concerns?.(add)).toBe(true);
  const uverbs = "/devices/virtual/infiniband_verbs/uverbs0";
  const other = uevent(`add@${uverbs}`, "ACTION=add", `DEVPATH=${uverbs}`, "SUBSYSTEM=infiniband_verbs", "SEQNUM=1235");
  expect(RDMA_EVENTS.concerns?.(other)).toBe(false);
  expect(RDMA_EVENTS.concerns?.(new Uint8Array())).toBe(false);
});
