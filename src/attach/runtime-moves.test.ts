import { expect, test } from "bun:test";
import { claimDevice, link, snapshot } from "../claims/testing.ts";
import { runtimeMoves } from "./runtime-moves.ts";

const attachment = {
  sandboxId: "s",
  temporaryName: "t",
  late: false,
  snapshot: snapshot({ link: link({ kind: "veth" }) }),
};
const awaited = { ...claimDevice({ plan: { ifname: "net1", steps: [], movedBy: "oci" } }), attachment };

test("runtimeMoves() names links that are still on the host, and none that an earlier container took along", async () => {
  const onHost = { listLinks: async () => [link({ ifname: "eth1", kind: "veth" }), link({ ifname: "other" })] };
  expect(await runtimeMoves(onHost, [awaited])).toEqual({ eth1: "net1" });
  expect(await runtimeMoves({ listLinks: async () => [link({ ifname: "other" })] }, [awaited])).toEqual({});
});

test("runtimeMoves() asks the kernel nothing for links that netferry moves", async () => {
  const never = { listLinks: () => Promise.reject(new Error("asked")) };
  const moved = { ...claimDevice({ plan: { ifname: "net1", steps: [] } }), attachment };
  expect(await runtimeMoves(never, [moved])).toEqual({});
});
