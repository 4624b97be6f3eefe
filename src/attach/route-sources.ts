/** Addresses that routes prefer as their source, and what IPv6 asks of them. Pure. */

import type { LinkStep } from "../kernel/steps.ts";
import { IFA_F_NODAD } from "../netlink/address.ts";

type AddressStep = Extract<LinkStep, { op: "addAddress" }>;

/**
 * While the kernel looks for another owner of an IPv6 address, for a second or more, it takes no route that prefers it
 * (EINVAL; net/ipv6/route.c). Such an address goes on without that look, and has its own flags again after the routes.
 */
export function withUsableSources(steps: readonly LinkStep[]): readonly LinkStep[] {
  const sources = new Set(steps.flatMap((step) => (step.op === "addRoute" ? [step.route.preferredSource] : [])));
  const isSource = (step: LinkStep): step is AddressStep =>
    step.op === "addAddress" && step.address.family === "ipv6" && sources.has(step.address.local);
  const awaited = steps.filter(isSource).filter(({ address }) => (address.flags & IFA_F_NODAD) === 0);
  if (awaited.length === 0) return steps;
  const afterRoutes = steps.findLastIndex((step) => step.op === "addRoute") + 1;
  const eager = steps.map((step) => (isSource(step) ? withFlag(step) : step));
  return [...eager.slice(0, afterRoutes), ...awaited, ...eager.slice(afterRoutes)];
}

function withFlag({ op, address }: AddressStep): AddressStep {
  return { op, address: { ...address, flags: address.flags | IFA_F_NODAD } };
}
