import { expect, test } from "bun:test";
import type { LinkAttachment } from "../claims/record.ts";
import { link, snapshot } from "../claims/testing.ts";
import type { Link } from "../netlink/link.ts";
import { findInPod, findOnHost, findPublished } from "./recognise.ts";

const pci = (parentDevName: string, over: Partial<Link> = {}) =>
  link({ parentDevName, parentDevBusName: "pci", ...over });
const CARD = pci("0000:3b:00.0", { permanentAddress: "02:00:00:00:00:01" });

function away(known: Link): LinkAttachment {
  return { sandboxId: "s1", temporaryName: "nfabc", ifindex: 9, late: false, snapshot: snapshot({ link: known }) };
}
const record = (attachment: LinkAttachment) => ({ plan: { ifname: "net1", steps: [] }, attachment });

test("findOnHost() takes no other card for one that is away, whatever its name", () => {
  const plugged = pci("0000:5e:00.0", { ifindex: 12, permanentAddress: "02:00:00:00:00:02" });
  expect(findOnHost(away(CARD), [plugged])).toBeUndefined();
  const home = { ...CARD, ifindex: 13, ifname: "dev13" };
  expect(findOnHost(away(CARD), [plugged, home])).toBe(home);
});

test("findOnHost() knows a card by name whose permanent address a reset has changed", () => {
  const reset = { ...CARD, permanentAddress: "02:00:00:00:00:09" };
  expect(findOnHost(away(CARD), [reset])).toBe(reset);
});

test("findOnHost() knows a virtual link by name and kind", () => {
  const dummy = link({ kind: "dummy" });
  expect(findOnHost(away(dummy), [link({ kind: "veth" }), dummy])).toBe(dummy);
});

test("findInPod() takes nothing for the link that the pod made under a name or index of it", () => {
  for (const made of [{ ifname: "nfabc" }, { ifname: "net1" }, { ifindex: 9 }]) {
    const stranger = link({ kind: "dummy", ...made });
    expect(findInPod(record(away(CARD)), away(CARD), [stranger])).toBeUndefined();
    const moved = { ...CARD, ifindex: 10, ifname: "renamed" };
    expect(findInPod(record(away(CARD)), away(CARD), [stranger, moved])).toBe(moved);
  }
  const veth = link({ kind: "veth" });
  expect(findInPod(record(away(veth)), away(veth), [link({ kind: "dummy", ifname: "nfabc" })])).toBeUndefined();
});

test("findPublished() finds a card by its bus address, and takes no other for it", () => {
  const identity = { ifname: "eth1", pciAddress: "0000:3b:00.0" };
  expect(findPublished(identity, [pci("0000:5e:00.0")])).toBeUndefined();
  expect(findPublished(identity, [pci("0000:5e:00.0"), { ...CARD, ifname: "renamed" }])?.ifname).toBe("renamed");
  const virtio = link({ parentDevName: "virtio0", parentDevBusName: "virtio" });
  expect(findPublished(identity, [virtio])).toBe(virtio);
});
