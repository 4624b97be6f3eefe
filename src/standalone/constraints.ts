/**
 * matchAttribute and distinctAttribute, kept up while devices are chosen one after the other. A value stands for the
 * set of itself; a list for the set of its members (KEP-5491): devices match that have a member in common, and are
 * distinct when no two have.
 */

import { appliesTo } from "../config/applies-to.ts";
import type { Device } from "../inventory/device.ts";
import type { Constraint } from "./objects.ts";

export class Constraints {
  /** For each constraint the values of the devices chosen under it so far. */
  readonly #chosen: readonly { readonly constraint: Constraint; readonly values: (readonly string[])[] }[];

  constructor(constraints: readonly Constraint[]) {
    this.#chosen = constraints.map((constraint) => ({ constraint, values: [] }));
  }

  /** Adds the device where all constraints on this request allow it, and says whether they did. */
  add(request: string, device: Device): boolean {
    const concerned = this.#on(request);
    const values = concerned.map(({ constraint }) => membersIn(device, constraint.attribute));
    const allowed = concerned.every(({ constraint, values: before }, i) => {
      const members = values[i];
      if (members === undefined) return false;
      return constraint.kind === "match"
        ? members.some((member) => before.every((other) => other.includes(member)))
        : !before.some((other) => other.some((member) => members.includes(member)));
    });
    if (allowed) for (const [i, { values: before }] of concerned.entries()) before.push(values[i] ?? []);
    return allowed;
  }

  /** Takes back the last addition for this request. */
  removeLast(request: string): void {
    for (const { values } of this.#on(request)) values.pop();
  }

  #on(request: string) {
    return this.#chosen.filter(({ constraint }) => appliesTo(constraint.requests, request));
  }
}

/** With their type: 1 and "1" are different. A list of integers has the members that integers are. */
function membersIn(device: Device, attribute: string): readonly string[] | undefined {
  const value = device.attributes[attribute];
  if (value === undefined) return undefined;
  return "ints" in value ? value.ints.map((int) => JSON.stringify({ int })) : [JSON.stringify(value)];
}
