import { expect, test } from "bun:test";
import { isGlobalUnicast } from "./global-unicast.ts";

test("isGlobalUnicast() agrees with Go's net.IP.IsGlobalUnicast", () => {
  const yes = [
    "10.0.0.1",
    "192.168.1.1",
    "8.8.8.8",
    "240.0.0.1",
    "169.253.0.1",
    "2001:db8::1",
    "fd00::1",
    "fec0::1",
    "1::",
  ];
  const no = ["0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.1.1.1", "255.255.255.255"];
  const no6 = ["::", "::1", "fe80::1", "febf::1", "ff02::1"];
  expect(yes.filter((address) => !isGlobalUnicast(address))).toEqual([]);
  expect([...no, ...no6].filter(isGlobalUnicast)).toEqual([]);
});
