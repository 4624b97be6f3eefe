import { expect, test } from "bun:test";
import { linkDeviceName, pciDeviceName, uniqueName } from "./names.ts";

test("pciDeviceName() is DRANET's", () => {
  expect(pciDeviceName("0000:8a:00.0")).toBe("pci-0000-8a-00-0");
});

test("linkDeviceName() is the link's name where that is a DNS label", () => {
  expect(["eth1", "enp5s0", "gpu0rdma0", "a-b"].map(linkDeviceName)).toEqual(["eth1", "enp5s0", "gpu0rdma0", "a-b"]);
});

test("linkDeviceName() is base32 of any other name", () => {
  // `printf eth0.100 | base32`, lower case, without padding
  expect(linkDeviceName("eth0.100")).toBe("net-mv2gqmbogeyda");
  expect(linkDeviceName("Eth0")).toBe("net-iv2gqma");
  expect(linkDeviceName("-")).toBe("net-fu");
  expect(linkDeviceName("ü")).toBe("net-yo6a");
});

test("uniqueName() counts up from 2", () => {
  expect(uniqueName("a", new Set())).toBe("a");
  expect(uniqueName("a", new Set(["a", "a-2"]))).toBe("a-3");
});
