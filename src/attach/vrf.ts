/** VRFs of a pod: which table each has, what goes into it, and which do not go together. Pure. */

import type { AttachPlan } from "../claims/record.ts";
import type { VrfConfig } from "../config/interface.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError } from "../lib/errors.ts";
import { type Route, RT_TABLE_MAIN } from "../netlink/route.ts";

/** A VRF whose table is known. */
export interface Vrf {
  readonly name: string;
  readonly table: number;
}

/** DRANET's (pkg/apis/defaults.go): far from the tables that people number by hand, the same for every link of the VRF. */
const FIRST_TABLE = 1000;
const TABLES = 1000;

export function vrfOf({ name, table }: VrfConfig): Vrf {
  return { name, table: table ?? tableNamed(name) };
}

/** DRANET numbers other tables of its own in the same way. */
export function tableNamed(name: string): number {
  return FIRST_TABLE + (fnv1a(name) % TABLES);
}

/** 32 bits, over the bytes of UTF-8. */
function fnv1a(text: string): number {
  return Buffer.from(text).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
}

export function joinStep(vrf: Vrf, forwards: boolean): LinkStep {
  return { op: "joinVrf", ...vrf, ...(forwards ? { forwards } : {}) };
}

/** Routes that the link brings along, all in the VRF's table; those of main stand before those of other tables. */
export function routesInVrf(
  routes: readonly Route[],
  vrf: Vrf,
): { readonly routes: readonly Route[]; readonly leftOut: readonly string[] } {
  const isMain = ({ table }: Route) => table === RT_TABLE_MAIN;
  const kept = new Map<string, Route>();
  const leftOut: string[] = [];
  for (const route of [...routes.filter(isMain), ...routes.filter((route) => !isMain(route))]) {
    const key = `${route.destination} ${route.source} ${route.tos} ${route.priority}`;
    const other = kept.get(key);
    if (other === undefined) kept.set(key, route);
    else
      leftOut.push(
        `route ${route.destination} of table ${route.table} stays on the host: that of table ${other.table} takes its place in VRF ${vrf.name}`,
      );
  }
  return { routes: [...kept.values()].map((route) => ({ ...route, table: vrf.table })), leftOut };
}

/** Of the VRFs that a plan puts its link into. */
export function vrfNames({ steps }: AttachPlan): readonly string[] {
  return steps.flatMap((step) => (step.op === "joinVrf" ? [step.name] : []));
}

/** Refuses plans of one pod whose VRFs would be mixed up with each other, or with links. Several links may share one. */
export function checkVrfs(plans: readonly { readonly device: string; readonly plan: AttachPlan }[]): void {
  const vrfs = plans.flatMap(({ device, plan }) =>
    plan.steps.flatMap((step) => (step.op === "joinVrf" ? [{ device, ...step }] : [])),
  );
  for (const [at, { device, name, table }] of vrfs.entries()) {
    const other = vrfs.slice(0, at).find((before) => before.table === table && before.name !== name);
    if (other !== undefined)
      throw new ClaimError(
        `VRF ${other.name} of device ${other.device} and VRF ${name} of device ${device} would both have routing table ${table}: give one another interface.vrf.table`,
      );
    const same = vrfs.slice(0, at).find((before) => before.name === name && before.table !== table);
    if (same !== undefined)
      throw new ClaimError(
        `VRF ${name} would have routing table ${same.table} by device ${same.device} and ${table} by device ${device}: give both the same interface.vrf`,
      );
    const link = plans.find(({ plan }) => plan.ifname === name);
    if (link !== undefined)
      throw new ClaimError(
        `VRF ${name} of device ${device} has the name that device ${link.device} would have in the pod: give one another`,
      );
  }
}
