/** Conditions of a device whose addresses come from the network. */

import type { ClaimDevice, SlaacState } from "../claims/record.ts";
import type { DeviceCondition } from "./device-condition.ts";

/** Of an attached device; none where all addresses were known in advance. */
export function addressConditions(record: ClaimDevice): readonly DeviceCondition[] {
  const { lease, plan, attachment, device } = record;
  const ifname = plan.ifname ?? device;
  return [
    ...(attachment?.slaac === undefined ? [] : [slaacCondition(attachment.slaac, ifname)]),
    ...(lease === undefined ? [] : [dhcpCondition(lease, ifname)]),
  ];
}

function slaacCondition({ addresses, reason, problem }: SlaacState, ifname: string): DeviceCondition {
  return addresses.length > 0
    ? {
        type: "SLAACReady",
        status: "True",
        reason: "AddressReady",
        message: `${ifname} has ${addresses.join(", ")} by router advertisement`,
      }
    : {
        type: "SLAACReady",
        status: "False",
        reason: reason ?? "NoAddress",
        message: `${ifname} has no address by router advertisement: ${problem}`,
      };
}

function dhcpCondition(lease: NonNullable<ClaimDevice["lease"]>, ifname: string): DeviceCondition {
  const { address, prefixLength, server, lost } = lease;
  const what = `${ifname} has ${address}/${prefixLength} from DHCP server ${server}`;
  if (lost === undefined) return { type: "DHCPReady", status: "True", reason: "LeaseHeld", message: what };
  const message = `${ifname} has no address: ${address} of DHCP server ${server} was ${lost.reason === "refused" ? "taken back" : "not extended in time"}; another one is asked for`;
  return {
    type: "DHCPReady",
    status: "False",
    reason: lost.reason === "refused" ? "LeaseRefused" : "LeaseExpired",
    message,
  };
}
