import { expect, test } from "bun:test";
import type { ClaimDevice } from "../claims/record.ts";
import { aLease, claimDevice } from "../claims/testing.ts";
import { deviceStatuses } from "./device-status.ts";

const LEASE = aLease();

function conditions(over: Partial<ClaimDevice>, slaac?: NonNullable<ClaimDevice["attachment"]>["slaac"]) {
  const { attachment } = claimDevice({ sandboxId: "s" });
  if (attachment === undefined) throw new Error("a record in a sandbox has an attachment");
  const record = claimDevice({
    state: "attached",
    attachment: { ...attachment, ...(slaac === undefined ? {} : { slaac }) },
    ...over,
  });
  const [status] = deviceStatuses([record], "dra.net", new Map());
  const shown = status?.conditions.filter(({ type }) => type === "DHCPReady" || type === "SLAACReady");
  return { shown, ips: status?.networkData?.ips };
}

test("a device with neither has neither condition", () => {
  expect(conditions({}).shown).toEqual([]);
});

test("a lease is a condition, and its loss too", () => {
  expect(conditions({ lease: LEASE }).shown).toEqual([
    {
      type: "DHCPReady",
      status: "True",
      reason: "LeaseHeld",
      message: "net1 has 10.0.0.9/24 from DHCP server 10.0.0.1",
    },
  ]);
  expect(conditions({ lease: { ...LEASE, lost: { reason: "refused", sinceMs: 5 } } }).shown).toEqual([
    {
      type: "DHCPReady",
      status: "False",
      reason: "LeaseRefused",
      message: "net1 has no address: 10.0.0.9 of DHCP server 10.0.0.1 was taken back; another one is asked for",
    },
  ]);
  expect(conditions({ lease: { ...LEASE, lost: { reason: "expired", sinceMs: 5 } } }).shown).toMatchObject([
    { status: "False", reason: "LeaseExpired" },
  ]);
});

test("addresses by router advertisement are a condition and among the addresses", () => {
  expect(conditions({}, { addresses: ["fd01::5/64"] })).toEqual({
    shown: [
      {
        type: "SLAACReady",
        status: "True",
        reason: "AddressReady",
        message: "net1 has fd01::5/64 by router advertisement",
      },
    ],
    ips: ["fd01::5/64"],
  });
  expect(conditions({}, { addresses: [], reason: "NoAddress", problem: "no router" })).toEqual({
    shown: [
      {
        type: "SLAACReady",
        status: "False",
        reason: "NoAddress",
        message: "net1 has no address by router advertisement: no router",
      },
    ],
    ips: undefined,
  });
});
