/** Addresses by router advertisement (RFC 4862): what a plan needs for them, and how long the attach waits for one. */

import type { SlaacState } from "../claims/record.ts";
import type { InterfaceConfig } from "../config/interface.ts";
import type { Kernel, LinkSnapshot, NetnsRef } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import type { Clock } from "../lib/clock.ts";
import { type Address, IFA_F_TENTATIVE } from "../netlink/address.ts";
import { RT_SCOPE_UNIVERSE } from "../netlink/route.ts";

/** `--slaac-ready-timeout` */
export const SLAAC_READY_TIMEOUT_MS = 1_500;
const LOOK_AGAIN_MS = 20;
/** An address that changes with privacy in mind (IFA_F_TEMPORARY). */
const IFA_F_TEMPORARY = 0x01;

export function wantsSlaac({ addressing }: InterfaceConfig): boolean {
  return addressing === "SLAAC";
}

/**
 * The settings that bring an address soonest, under what is configured. It is not looked for elsewhere where the link
 * keeps its hardware address, since the host did so with the same one, nor where 64 bits of it are random.
 */
export function withSlaacDefaults(link: InterfaceConfig): InterfaceConfig {
  if (!wantsSlaac(link)) return link;
  const { type = "Passthrough", hardwareAddr } = link;
  return {
    disableIPv6: false,
    acceptRA: 2,
    routerSolicitationDelay: 0,
    routerSolicitationInterval: 1,
    ...(type === "IPVLAN" || (type === "Passthrough" && hardwareAddr === undefined) ? { dadTransmits: 0 } : {}),
    ...link,
  };
}

/** The host's IPv6 addresses stay there: the pod's come from its router. */
export function withoutIpv6Addresses(host: LinkSnapshot): LinkSnapshot {
  return { ...host, addresses: host.addresses.filter(({ family }) => family === "ipv4") };
}

/** A namespace may have been told to make no addresses. */
export const AUTOCONF: LinkStep = {
  op: "setSysctl",
  sysctl: { family: "ipv6", table: "conf", key: "autoconf", value: "1" },
};

/** What is done to the link before the wait, and routes, rules and neighbours, which may need the address. */
export function aroundWait(
  steps: readonly LinkStep[],
): readonly [before: readonly LinkStep[], after: readonly LinkStep[]] {
  const up = steps.findIndex(({ op }) => op === "up");
  return [steps.slice(0, up + 1), steps.slice(up + 1)];
}

export interface SlaacParts {
  readonly kernel: Pick<Kernel, "listAddresses">;
  readonly clock: Clock;
}

/** Answers as soon as there is an address that can be used, or when `limitMs` is over. */
export async function awaitSlaac(
  { kernel, clock }: SlaacParts,
  link: { readonly netns: NetnsRef; readonly ifindex: number },
  limitMs: number,
): Promise<SlaacState> {
  const endMs = clock.nowMs() + limitMs;
  for (;;) {
    const state = slaacState(await kernel.listAddresses(link), limitMs);
    if (state.addresses.length > 0 || clock.nowMs() >= endMs) return state;
    await clock.sleep(LOOK_AGAIN_MS);
  }
}

/** Pure. `waitedMs` is for the reason. The kernel drops an address of this kind that another node has. */
export function slaacState(addresses: readonly Address[], waitedMs: number): SlaacState {
  const global = addresses.filter(
    ({ family, scope, flags }) => family === "ipv6" && scope === RT_SCOPE_UNIVERSE && (flags & IFA_F_TEMPORARY) === 0,
  );
  const ready = global.filter(({ flags }) => (flags & IFA_F_TENTATIVE) === 0);
  const texts = ready.map(({ local, prefixLength }) => `${local}/${prefixLength}`).sort();
  if (texts.length > 0) return { addresses: texts };
  if (global.length > 0)
    return {
      addresses: [],
      reason: "AddressTentative",
      problem: `duplicate address detection was not over after ${waitedMs / 1000} s`,
    };
  return {
    addresses: [],
    reason: "NoAddress",
    problem: `within ${waitedMs / 1000} s no router advertised a prefix to make an address of that no other node has`,
  };
}
