import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeBytes, u32 } from "./attribute-writer.ts";
import * as k from "./constants.ts";
import { encodeIfinfo } from "./link-codec.ts";
import { hostileBytes, orProtocolError } from "./testing.ts";
import { decodeVfs, encodeVfSetting, type VfSetting } from "./vf-codec.ts";

/** IFLA_VF_INFO by linux/if_link.h: vf 1 with VLAN 5 qos 3, 100 Mbit/s, spoof checking off, trusted. */
const ANSWER = [
  "a0000180",
  "28000100 01000000 020000000077 0000000000000000000000000000000000000000000000000000",
  "10000200 01000000 05000000 03000000",
  "18000c80 14000100 01000000 05000000 03000000 81000000",
  "10000600 01000000 00000000 64000000",
  "0c000300 01000000 64000000",
  "0c000400 01000000 00000000",
  "0c000500 01000000 00000000",
  "0c000700 01000000 ffffffff",
  "0c000900 01000000 01000000",
].join("");

function answer(list: Uint8Array): Uint8Array {
  return new AttributeBytes().append(encodeIfinfo(7)).put(k.IFLA_VFINFO_LIST, list).bytes;
}

test("decodeVfs() reads what a PF tells of its VF", () => {
  const list = Uint8Array.fromHex(ANSWER.replaceAll(" ", ""));
  expect([...decodeVfs(answer(list))]).toEqual([
    [
      1,
      {
        mac: "02:00:00:00:00:77",
        vlan: { id: 5, qos: 3, protocol: "802.1Q" },
        minTxRate: 0,
        maxTxRate: 100,
        linkState: "auto",
        spoofCheck: false,
        trust: true,
      },
    ],
  ]);
});

test("decodeVfs() has no word on switches that the driver does not know", () => {
  const unknown = new AttributeBytes();
  const mac = new Uint8Array(36);
  unknown.put(k.IFLA_VF_MAC, mac);
  for (const type of [k.IFLA_VF_SPOOFCHK, k.IFLA_VF_TRUST])
    unknown.put(type, Uint8Array.of(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff));
  const state = decodeVfs(answer(new AttributeBytes().put(k.IFLA_VF_INFO, unknown.bytes).bytes)).get(0);
  expect(state).toMatchObject({ mac: "00:00:00:00:00:00" });
  expect(state).not.toHaveProperty("trust");
  expect(state).not.toHaveProperty("spoofCheck");
});

test("encodeVfSetting() writes what decodeVfs() reads, the protocol in network byte order", () => {
  const settings: readonly VfSetting[] = [
    { name: "vlan", vlan: { id: 4094, qos: 7, protocol: "802.1ad" } },
    { name: "txRate", minTxRate: 1, maxTxRate: 4_000_000_000 },
    { name: "linkState", linkState: "disable" },
    { name: "trust", on: true },
    { name: "spoofCheck", on: false },
    { name: "mac", mac: "02:00:00:00:00:77" },
  ];
  const infos = settings.map((setting) => encodeVfSetting(3, setting));
  // The kernel takes one list of one info; read back, the attributes of all stand in one.
  const joined = infos.flatMap((info) => [...info.subarray(4)]);
  const list = new AttributeBytes().put(k.IFLA_VF_INFO, Uint8Array.from(joined)).bytes;
  expect(decodeVfs(answer(list)).get(3)).toEqual({
    mac: "02:00:00:00:00:77",
    vlan: { id: 4094, qos: 7, protocol: "802.1ad" },
    minTxRate: 1,
    maxTxRate: 4_000_000_000,
    linkState: "disable",
    trust: true,
    spoofCheck: false,
  });
  expect(Buffer.from(infos[0] ?? []).toString("hex")).toEndWith("88a80000");
});

test("decodeVfs() of random bytes gives a value or a ProtocolError", () => {
  fc.assert(
    fc.property(hostileBytes(16), (bytes) => {
      orProtocolError(() => decodeVfs(bytes));
      orProtocolError(() => decodeVfs(answer(new AttributeBytes().put(k.IFLA_VF_INFO, bytes).put(9, u32(0)).bytes)));
    }),
  );
});
