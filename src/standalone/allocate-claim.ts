/**
 * Chooses the devices of one claim: first fit in the order of the devices, going back where a later request or a
 * constraint cannot be met. Complete up to a bound on the work, so that "none" means that there is none.
 */

import type { Device } from "../inventory/device.ts";
import { ClaimError } from "../lib/errors.ts";
import { Constraints } from "./constraints.ts";
import type { ClaimSpec, DeviceClass, DeviceRequest } from "./objects.ts";
import type { Selectors } from "./selector.ts";

export interface Choice {
  /** `main`, or `main/sub`. */
  readonly request: string;
  readonly device: Device;
}

export interface Supply {
  readonly devices: readonly Device[];
  /** Names of devices that other claims have. */
  readonly taken: ReadonlySet<string>;
  readonly classes: ReadonlyMap<string, DeviceClass>;
  readonly selectors: Selectors;
  /** How many devices may be tried before giving up. */
  readonly maxTries: number;
}

const MAX_RESULTS = 32; // resource/v1 types.go, AllocationResultsMaxSize

/** Throws a ClaimError with the reason why the claim cannot be met now. */
export function allocateClaim(claim: ClaimSpec, supply: Supply): readonly Choice[] {
  return new Search(claim, supply).run();
}

class Search {
  readonly #claim: ClaimSpec;
  readonly #supply: Supply;
  readonly #constraints: Constraints;
  readonly #chosen: Choice[] = [];
  readonly #fits = new Map<string, boolean>();
  #tries = 0;

  constructor(claim: ClaimSpec, supply: Supply) {
    this.#claim = claim;
    this.#supply = supply;
    this.#constraints = new Constraints(claim.constraints);
  }

  run(): readonly Choice[] {
    for (const request of this.#claim.requests.flat()) {
      if (!this.#supply.classes.has(request.deviceClassName)) {
        throw new ClaimError(
          `request ${request.name} names DeviceClass ${request.deviceClassName}, which does not exist`,
        );
      }
    }
    if (this.#meet(0)) return [...this.#chosen];
    throw new ClaimError(this.#shortage());
  }

  /** Requests from number `index` on. */
  #meet(index: number): boolean {
    const alternatives = this.#claim.requests[index];
    if (alternatives === undefined) return true;
    return alternatives.some((request) =>
      request.count === undefined ? this.#takeAll(request, index) : this.#takeSome(request, index, request.count, 0),
    );
  }

  /** `missing` more devices for this request, out of those from number `from` on. */
  #takeSome(request: DeviceRequest, index: number, missing: number, from: number): boolean {
    if (missing === 0) return this.#meet(index + 1);
    const { devices } = this.#supply;
    for (let at = from; at + missing <= devices.length; at++) {
      const device = devices[at];
      if (device === undefined || this.#isTaken(device) || !this.#matches(request, device)) continue;
      if (!this.#choose(request, device)) continue;
      if (this.#takeSome(request, index, missing - 1, at + 1)) return true;
      this.#giveBack(request);
    }
    return false;
  }

  /** Every device that matches, or none: one in use means that "all" cannot be had. */
  #takeAll(request: DeviceRequest, index: number): boolean {
    const wanted = this.#supply.devices.filter((device) => this.#matches(request, device));
    if (wanted.length === 0 || wanted.some((device) => this.#isTaken(device))) return false;
    const before = this.#chosen.length;
    if (wanted.every((device) => this.#choose(request, device)) && this.#meet(index + 1)) return true;
    while (this.#chosen.length > before) this.#giveBack(request);
    return false;
  }

  #choose(request: DeviceRequest, device: Device): boolean {
    if (++this.#tries > this.#supply.maxTries) {
      throw new ClaimError(
        `no choice of devices was found in ${this.#supply.maxTries} tries; use fewer requests or closer selectors`,
      );
    }
    if (this.#chosen.length === MAX_RESULTS || !this.#constraints.add(request.name, device)) return false;
    this.#chosen.push({ request: request.name, device });
    return true;
  }

  #giveBack(request: DeviceRequest): void {
    this.#chosen.pop();
    this.#constraints.removeLast(request.name);
  }

  #isTaken(device: Device): boolean {
    return this.#supply.taken.has(device.name) || this.#chosen.some((choice) => choice.device === device);
  }

  /** Asked for a device only when it is its turn: an expression that fails on a later one does no harm. */
  #matches(request: DeviceRequest, device: Device): boolean {
    const key = `${request.name} ${device.name}`;
    let fits = this.#fits.get(key);
    if (fits === undefined) {
      const { classes, selectors } = this.#supply;
      const expressions = [...(classes.get(request.deviceClassName)?.selectors ?? []), ...request.selectors];
      fits = expressions.every((expression) => selectors.matches(expression, device));
      this.#fits.set(key, fits);
    }
    return fits;
  }

  /** What to tell the user when there is no choice. */
  #shortage(): string {
    const lacking = this.#claim.requests.flatMap((alternatives) => {
      const counts = alternatives.map((request) => this.#count(request));
      return counts.every(({ enough }) => !enough) ? counts.map(({ text }) => text) : [];
    });
    if (lacking.length > 0) return lacking.join("; ");
    const constraints = this.#claim.constraints.map(({ kind, attribute }) => `${kind}Attribute ${attribute}`);
    return constraints.length === 0
      ? "each request could be met alone, but not all of them together"
      : `no choice of free devices satisfies all requests and constraints together (${constraints.join(", ")})`;
  }

  #count(request: DeviceRequest): { readonly enough: boolean; readonly text: string } {
    const matching = this.#supply.devices.filter((device) => this.#matches(request, device));
    const free = matching.filter((device) => !this.#supply.taken.has(device.name)).length;
    const needs =
      request.count === undefined ? "all matching devices" : `${request.count} device${request.count === 1 ? "" : "s"}`;
    const enough =
      request.count === undefined ? matching.length > 0 && free === matching.length : free >= request.count;
    return {
      enough,
      text: `request ${request.name} needs ${needs}; of ${this.#supply.devices.length} on this host ${matching.length} match and ${free} of these are free`,
    };
  }
}
