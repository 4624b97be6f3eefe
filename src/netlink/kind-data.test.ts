import { expect, test } from "bun:test";
import { AttributeBytes } from "./attribute-writer.ts";
import { settableKindData } from "./kind-data.ts";

const u32 = (value: number) => new Uint8Array(new Uint32Array([value]).buffer);

test("settableKindData() leaves out what the kernel only reports of a macvlan", () => {
  const reported = new AttributeBytes().put(1, u32(4)).put(6, u32(0)).put(7, u32(1000)).put(8, u32(1000)).bytes;
  const wanted = new AttributeBytes().put(1, u32(4)).put(7, u32(1000)).bytes;
  expect(settableKindData("macvlan", reported).toHex()).toBe(wanted.toHex());
});

test("settableKindData() does not name what a vxlan does not use, and sends its flag without a value", () => {
  const reported = (inherit: number) =>
    new AttributeBytes()
      .put(1, u32(5))
      .put(7, Uint8Array.of(0))
      .put(21, Uint8Array.of(0))
      .put(28, Uint8Array.of(inherit));
  const wanted = new AttributeBytes().put(1, u32(5)).put(7, Uint8Array.of(0));
  expect(settableKindData("vxlan", reported(0).bytes)).toEqual(wanted.bytes);
  expect(settableKindData("vxlan", reported(1).bytes)).toEqual(wanted.put(28, new Uint8Array()).bytes);
});

test("settableKindData() leaves other kinds as they are", () => {
  const reported = new AttributeBytes().put(6, u32(1)).bytes;
  expect(settableKindData("ipvlan", reported)).toEqual(reported);
});

test("settableKindData() names of the flags of a vlan those that are set, and the one that a new one has", () => {
  const flags = (value: number, mask: number) => new Uint8Array(Uint32Array.of(value, mask).buffer);
  const vlan = (bits: Uint8Array) => new AttributeBytes().put(1, Uint8Array.of(5, 0)).put(2, bits).bytes;
  expect(settableKindData("vlan", vlan(flags(0, 0xffff_ffff)))).toEqual(vlan(flags(0, 1)));
  expect(settableKindData("vlan", vlan(flags(0x13, 0xffff_ffff)))).toEqual(vlan(flags(0x13, 0x13)));
});
