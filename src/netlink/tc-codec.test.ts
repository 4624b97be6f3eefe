import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeBytes, putNested, text, u32 } from "./attribute-writer.ts";
import { decodeFilter, decodeQdisc, encodeTcmsg } from "./tc-codec.ts";
import { hostileBytes, orProtocolError } from "./testing.ts";

const address = { ifindex: 7, handle: 0x10001, parent: 0xfffffff2, priority: 49152, protocol: 3 };

test("decodeQdisc() reads what encodeTcmsg() writes", () => {
  const bytes = new AttributeBytes().append(encodeTcmsg(address)).put(1, text("clsact")).bytes;
  expect(decodeQdisc(bytes)).toEqual({ ifindex: 7, kind: "clsact", handle: 0x10001, parent: 0xfffffff2 });
});

test("encodeTcmsg() puts priority and protocol where the kernel looks for them", () => {
  // `tc filter add dev … ingress pref 49152 protocol all bpf` as strace shows it, with index 7.
  expect(encodeTcmsg(address).toHex()).toBe("00000000" + "07000000" + "01000100" + "f2ffffff" + "000300c0");
});

test("decodeFilter() reads name and program of a bpf filter, and no options of another kind", () => {
  const filter = (kind: string) => {
    const bytes = new AttributeBytes().append(encodeTcmsg(address)).put(1, text(kind)).put(11, u32(5));
    putNested(bytes, 2, (options) => options.put(7, text("cil_from_netdev")).put(11, u32(4711)));
    return decodeFilter(bytes.bytes);
  };
  const rest = { ...address, chain: 5 };
  expect(filter("bpf")).toEqual({ ...rest, kind: "bpf", name: "cil_from_netdev", programId: 4711 });
  expect(filter("u32")).toEqual({ ...rest, kind: "u32" });
});

test("decodeFilter() passes over the heading before the filters of a priority", () => {
  const heading = new AttributeBytes().append(encodeTcmsg(address)).put(1, text("bpf"));
  expect(decodeFilter(heading.bytes)).toBeUndefined();
});

test("decodeQdisc() and decodeFilter() make of any bytes a value or a ProtocolError", () => {
  fc.assert(
    fc.property(hostileBytes(20), (bytes) => {
      orProtocolError(() => decodeQdisc(bytes));
      orProtocolError(() => decodeFilter(bytes));
    }),
  );
});
