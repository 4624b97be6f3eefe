import { expect, test } from "bun:test";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { ClaimStore } from "../claims/store.ts";
import { claimDevice } from "../claims/testing.ts";
import type { Family } from "../config/ip.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError } from "../lib/errors.ts";
import { RangeAddresses } from "./range-addresses.ts";

const key = (claimUid: string) => ({ claimUid, request: "nic", device: "eth1", shareId: "" });

function step(cidr: string): LinkStep {
  const [local = "", length] = cidr.split("/");
  const family: Family = local.includes(":") ? "ipv6" : "ipv4";
  return {
    op: "addAddress",
    address: { ifindex: 0, family, local, prefixLength: Number(length), scope: 0, flags: 0 },
  };
}

function put(store: ClaimStore, claimUid: string, addresses: readonly string[]): void {
  store.put([claimDevice({ claimUid, plan: { ifname: "net1", steps: addresses.map(step) } })]);
}

test("take() gives each claim an address of its own of each family, and the same one again", () => {
  using store = ClaimStore.open(":memory:", "boot");
  const addresses = new RangeAddresses(store, new ManualClock());
  const ranges = ["2001:db8:1:2:c0de::/80", "10.24.3.0/24"];
  const [six = "", four = ""] = addresses.take(key("a"), ranges);
  expect(six).toMatch(/^2001:db8:1:2:c0de:.*\/128$/);
  expect(four).toMatch(/^10\.24\.3\.\d+\/32$/);
  expect(addresses.take(key("a"), ranges)).toEqual([six, four]);
  // Of the record too, by the next process, and wherever it would begin to look.
  put(store, "a", ["10.24.3.77/32", "fd00::1/64"]);
  expect(new RangeAddresses(store, new ManualClock()).take(key("a"), ["10.24.3.0/24"])).toEqual(["10.24.3.77/32"]);
});

test("take() gives no address that another link has, was promised a moment ago, or that is not a node's", () => {
  using store = ClaimStore.open(":memory:", "boot");
  const clock = new ManualClock();
  const addresses = new RangeAddresses(store, clock);
  const range = ["192.0.2.8/29"];
  put(store, "static", ["192.0.2.9/24"]);
  const given = ["a", "b", "c", "d", "e"].flatMap((uid) => addresses.take(key(uid), range));
  expect(given.toSorted()).toEqual(["10", "11", "12", "13", "14"].map((host) => `192.0.2.${host}/32`));
  expect(() => addresses.take(key("f"), range)).toThrow(ClaimError);
  expect(() => addresses.take(key("f"), range)).toThrow("no address of 192.0.2.8/29 is free");
  expect(addresses.take(key("f"), [...range, "198.51.100.0/30"])[0]).toStartWith("198.51.100.");
  // What was prepared is taken for as long as it is, what was promised and never came for some minutes.
  for (const [index, uid] of ["a", "b"].entries()) put(store, uid, [given[index] ?? ""]);
  clock.advance(11 * 60_000);
  const left = ["g", "h", "i"].flatMap((uid) => addresses.take(key(uid), range));
  expect(left.toSorted()).toEqual(given.slice(2).toSorted());
  store.removeClaim("a");
  expect(addresses.take(key("j"), range)).toEqual(given.slice(0, 1));
});

test("take() passes over what is no range, or has no room", () => {
  using store = ClaimStore.open(":memory:", "boot");
  const addresses = new RangeAddresses(store, new ManualClock());
  expect(addresses.take(key("a"), ["", "10.0.0.1", "10.0.0.0/31", "10.0.0.0/32", "::/127"])).toEqual([]);
});
