/** matchAttribute and distinctAttribute, kept up while devices are chosen one after the other. */

import { appliesTo } from "../config/applies-to.ts";
import type { Device } from "../inventory/device.ts";
import type { Constraint } from "./objects.ts";

export class Constraints {
  /** For each constraint the values of the devices chosen under it so far. */
  readonly #chosen: readonly { readonly constraint: Constraint; readonly values: string[] }[];

  constructor(constraints: readonly Constraint[]) {
    this.#chosen = constraints.map((constraint) => ({ constraint, values: [] }));
  }

  /** Adds the device where all constraints on this request allow it, and says whether they did. */
  add(request: string, device: Device): boolean {
    const concerned = this.#on(request);
    const values = concerned.map(({ constraint }) => valueIn(device, constraint.attribute));
    const allowed = concerned.every(({ constraint, values: before }, i) => {
      const value = values[i];
      if (value === undefined) return false;
      return constraint.kind === "match" ? before.every((other) => other === value) : !before.includes(value);
    });
    if (allowed) for (const [i, { values: before }] of concerned.entries()) before.push(values[i] ?? "");
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

/** With its type: 1 and "1" are different. */
function valueIn(device: Device, attribute: string): string | undefined {
  const value = device.attributes[attribute];
  return value === undefined ? undefined : JSON.stringify(value);
}
