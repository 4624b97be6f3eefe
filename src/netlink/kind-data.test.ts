import { expect, test } from "bun:test";
import { AttributeBytes } from "./attribute-writer.ts";
import { settableKindData } from "./kind-data.ts";

const u32 = (value: number) => new Uint8Array(new Uint32Array([value]).buffer);

test("settableKindData() leaves out what the kernel only reports of a macvlan", () => {
  const reported = new AttributeBytes().put(1, u32(4)).put(6, u32(0)).put(7, u32(1000)).put(8, u32(1000)).bytes;
  const wanted = new AttributeBytes().put(1, u32(4)).put(7, u32(1000)).bytes;
  expect(settableKindData("macvlan", reported).toHex()).toBe(wanted.toHex());
});

test("settableKindData() leaves other kinds as they are", () => {
  const reported = new AttributeBytes().put(6, u32(1)).bytes;
  expect(settableKindData("vxlan", reported)).toEqual(reported);
});
