import { parsePrefix } from "../config/ip.ts";
import type { ClaimDevice } from "./record.ts";

/** What a device's link is in its pod, as `status.devices[].networkData` of a ResourceClaim and KEP-5304 have it. */
export interface NetworkData {
  readonly interfaceName: string;
  readonly hardwareAddress?: string;
  /** `10.1.2.3/24`: addresses of the interface, in canonical text, each once. */
  readonly ips?: readonly string[];
}

const MAX_IPS = 16; // resource/v1 types.go

/** What was asked for and, once the record says `attached`, is so. `undefined` for a device without a link. */
export function networkDataOf({ plan, attachment }: ClaimDevice): NetworkData | undefined {
  if (plan.ifname === undefined) return undefined;
  let hardwareAddress = attachment?.snapshot?.link.address;
  const ips = new Set<string>();
  for (const step of plan.steps) {
    if (step.op === "setAddress") hardwareAddress = step.address;
    if (step.op === "removeAddress") ips.delete(cidrOf(step.address));
    if (step.op === "addAddress") ips.add(cidrOf(step.address));
  }
  for (const address of attachment?.slaac?.addresses ?? []) ips.add(parsePrefix(address)?.cidr ?? "");
  ips.delete("");
  return {
    interfaceName: plan.ifname,
    ...(hardwareAddress === undefined ? {} : { hardwareAddress }),
    ...(ips.size === 0 ? {} : { ips: [...ips].slice(0, MAX_IPS) }),
  };
}

/** Canonical; "" for what the API server would refuse, an IPv4-mapped address for one. */
function cidrOf({ local, prefixLength }: { readonly local: string; readonly prefixLength: number }): string {
  return parsePrefix(`${local}/${prefixLength}`)?.cidr ?? "";
}
