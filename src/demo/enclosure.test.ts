import { expect, test } from "bun:test";
import { mayMakeNamespaces } from "./enclosure.ts";

const status = (capabilities: string) => `Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t${capabilities}\nCapBnd:\t0\n`;

test("mayMakeNamespaces() says yes with all capabilities, and with just those that are needed", () => {
  expect(mayMakeNamespaces(status("000001ffffffffff"))).toBe(true);
  expect(mayMakeNamespaces(status("0000000000203000"))).toBe(true);
});

test("mayMakeNamespaces() says no to a user, and to root in a container without CAP_SYS_ADMIN", () => {
  expect(mayMakeNamespaces(status("0000000000000000"))).toBe(false);
  expect(mayMakeNamespaces(status("00000000a80435fb"))).toBe(false);
});
