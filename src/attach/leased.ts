/** What a DHCP lease means for the link in the pod: its address and routes among the steps of the plan. Pure. */

import type { AttachPlan, ClaimDevice, HeldLease } from "../claims/record.ts";
import type { DhcpLease } from "../dhcp/lease.ts";
import { phaseOf, secondsLeft } from "../dhcp/phase.ts";
import type { LinkSnapshot } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import type { Address } from "../netlink/address.ts";
import {
  type Route,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_DHCP,
} from "../netlink/route.ts";
import { holds } from "./prefix.ts";

/** linux/rtnetlink.h */
const RTNH_F_ONLINK = 4;
/** Behind the pod's own default route, which has none; the number that systemd-networkd uses for DHCP. */
const FIRST_METRIC = 1024;

/** A metric that no other lease of the pod has: the kernel takes one default route for each. */
export function freeMetric(plans: readonly AttachPlan[]): number {
  const taken = new Set(plans.flatMap(({ steps }) => steps.flatMap((step) => leasedRoute(step)?.priority ?? [])));
  let metric = FIRST_METRIC;
  while (taken.has(metric)) metric++;
  return metric;
}

/** The kernel takes the address away when its time is over, whatever becomes of us. */
export function leaseAddress(lease: HeldLease, nowMs: number): Address {
  const left = secondsLeft(lease, nowMs);
  return {
    ifindex: 0,
    family: "ipv4",
    local: lease.address,
    prefixLength: lease.prefixLength,
    scope: RT_SCOPE_UNIVERSE,
    flags: 0,
    ...(lease.broadcast === undefined ? {} : { broadcast: lease.broadcast }),
    ...(left === undefined ? {} : { validSeconds: left, preferredSeconds: left }),
  };
}

/** The server's MTU where it is less than the link's: a greater one might be more than the link can do. */
export function leaseMtu(lease: DhcpLease | undefined, { link }: LinkSnapshot): number | undefined {
  return lease?.mtu !== undefined && lease.mtu < link.mtu ? lease.mtu : undefined;
}

/** A gateway that neither the subnet nor a route on the link covers is on the link all the same: clouds give /32. */
export function leaseRoutes({ address, prefixLength, routes, metric, table }: HeldLease): readonly Route[] {
  const onLink = routes.filter(({ gateway }) => gateway === undefined).map(({ destination }) => destination);
  const isReached = (gateway: string) => [`${address}/${prefixLength}`, ...onLink].some((net) => holds(net, gateway));
  return routes.map(({ destination, gateway }) => ({
    family: "ipv4",
    destination,
    table: table ?? RT_TABLE_MAIN,
    protocol: RTPROT_DHCP,
    scope: gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
    type: RTN_UNICAST,
    tos: 0,
    flags: gateway === undefined || isReached(gateway) ? 0 : RTNH_F_ONLINK,
    attributes: [],
    preferredSource: address,
    priority: metric,
    ...(gateway === undefined ? {} : { gateway }),
  }));
}

/** The steps of a record at this moment: a lease has less time left than when the plan was made, or none. */
export function stepsNow({ plan, lease }: ClaimDevice, nowMs: number): readonly LinkStep[] {
  if (lease === undefined || lease.lost !== undefined) return plan.steps;
  if (phaseOf(lease, nowMs) === "expired") return plan.steps.filter((step) => !isOfLease(step, lease));
  return plan.steps.map((step) =>
    isAddressOf(step, lease) ? { op: "addAddress", address: leaseAddress(lease, nowMs) } : step,
  );
}

/** The plan without the lease that is over. */
export function withoutLease(plan: AttachPlan, lease: HeldLease): AttachPlan {
  return { ...plan, steps: plan.steps.filter((step) => !isOfLease(step, lease)) };
}

/** The plan with `after` in place of `before`; what is configured still takes the place of a route of the same name. */
export function withLease(plan: AttachPlan, before: HeldLease, after: HeldLease, nowMs: number): AttachPlan {
  const steps = withoutLease(plan, before).steps;
  const isConfigured = ({ destination, table }: Route) =>
    steps.some(
      (step) => step.op === "addRoute" && step.route.destination === destination && step.route.table === table,
    );
  const up = steps.findIndex(({ op }) => op === "up");
  const routes = leaseRoutes(after).filter((route) => !isConfigured(route));
  return {
    ...plan,
    steps: [
      ...steps.slice(0, up),
      { op: "addAddress", address: leaseAddress(after, nowMs) },
      { op: "up" },
      ...routes.map((route): LinkStep => ({ op: "addRoute", route })),
      ...steps.slice(up + 1),
    ],
  };
}

/** What turns the link of one plan into that of the other, as far as the lease goes; the address's time begins anew. */
export function leaseChange(
  before: AttachPlan,
  after: AttachPlan,
  leases: { readonly before: HeldLease; readonly after?: HeldLease },
): readonly LinkStep[] {
  const [was, is] = [before, after].map(({ steps }) => steps.flatMap((step) => leasedRoute(step) ?? []));
  const gone = (was ?? []).filter((route) => !(is ?? []).some((other) => Bun.deepEquals(other, route)));
  const added = after.steps.filter((step) => leases.after !== undefined && isOfLease(step, leases.after));
  const address = before.steps.flatMap((step) =>
    isAddressOf(step, leases.before) && leases.before.address !== leases.after?.address ? [step.address] : [],
  );
  return [
    ...gone.map((route): LinkStep => ({ op: "removeRoute", route })),
    ...address.map((one): LinkStep => ({ op: "removeAddress", address: one })),
    ...added,
  ];
}

function isOfLease(step: LinkStep, lease: HeldLease): boolean {
  return isAddressOf(step, lease) || leasedRoute(step) !== undefined;
}

function isAddressOf(
  step: LinkStep,
  { address, prefixLength }: HeldLease,
): step is Extract<LinkStep, { op: "addAddress" }> {
  return step.op === "addAddress" && step.address.local === address && step.address.prefixLength === prefixLength;
}

function leasedRoute(step: LinkStep): Route | undefined {
  return step.op === "addRoute" && step.route.protocol === RTPROT_DHCP ? step.route : undefined;
}
