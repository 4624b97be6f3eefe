import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeBytes, text, u8, u32 } from "../netlink/attribute-writer.ts";
import { hostileBytes, orProtocolError } from "../netlink/testing.ts";
import { decodeCharDevice, decodeDevice, decodeNetnsMode, decodePort } from "./nldev-codec.ts";

const u64 = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);

test("decodeDevice() reads name, GUID, firmware and protocol, and skips what it does not know", () => {
  const bytes = new AttributeBytes()
    .put(1, u32(7))
    .put(2, text("mlx5_0"))
    .put(3, u32(1))
    .put(4, u64(0x1234n))
    .put(5, text("20.31.1014"))
    .put(6, u64(0x0c42a10300651a2en))
    .put(67, text("roce")).bytes;
  expect(decodeDevice(bytes)).toEqual({
    index: 7,
    name: "mlx5_0",
    nodeGuid: "0c42:a103:0065:1a2e",
    firmware: "20.31.1014",
    protocol: "roce",
  });
});

test("decodeDevice() keeps leading zeros of a GUID", () => {
  const bytes = new AttributeBytes().put(1, u32(0)).put(2, text("x")).put(6, u64(1n)).bytes;
  expect(decodeDevice(bytes)?.nodeGuid).toBe("0000:0000:0000:0001");
});

test("decodePort() reads state and netdev, and leaves out a state without a name", () => {
  const port = new AttributeBytes().put(1, u32(0)).put(3, u32(1)).put(12, u8(4)).put(50, u32(3)).put(51, text("eth0"));
  expect(decodePort(port.bytes)).toEqual({ number: 1, state: "ACTIVE", ifname: "eth0" });
  const newer = new AttributeBytes().put(3, u32(2)).put(12, u8(200));
  expect(decodePort(newer.bytes)).toEqual({ number: 2 });
});

test("decodeNetnsMode() knows both modes, and a kernel that does not tell", () => {
  expect(decodeNetnsMode(new AttributeBytes().put(66, u8(0)).bytes)).toBe("exclusive");
  expect(decodeNetnsMode(new AttributeBytes().put(66, u8(1)).bytes)).toBe("shared");
  expect(decodeNetnsMode(new Uint8Array())).toBeUndefined();
});

test("decodeCharDevice() splits the number as linux/kdev_t.h joins it, also beyond 255 minors", () => {
  const at = (number: bigint) => decodeCharDevice(new AttributeBytes().put(70, text("n")).put(72, u64(number)).bytes);
  expect(at(0xe7c0n)).toEqual({ name: "n", major: 231, minor: 192 });
  expect(at(0x100a04n)).toEqual({ name: "n", major: 10, minor: 260 });
  const uverbs = new AttributeBytes().put(70, text("uverbs0")).put(72, u64(0xe7c0n)).put(73, u32(14));
  expect(decodeCharDevice(uverbs.bytes)?.driverId).toBe(14);
});

test("the decoders make of random bytes a value or a ProtocolError", () => {
  for (const decode of [decodeDevice, decodePort, decodeNetnsMode, decodeCharDevice])
    fc.assert(fc.property(hostileBytes(0), (bytes) => void orProtocolError(() => decode(bytes))));
});
