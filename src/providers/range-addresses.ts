/** Addresses out of ranges that lead to this node. The claims' records say which are taken, so that nothing is kept here. */

import { createHash } from "node:crypto";
import { type ClaimDevice, type DeviceKey, keyText } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import { type Family, ipNumber, ipOfNumber, parsePrefix } from "../config/ip.ts";
import type { Clock } from "../lib/clock.ts";
import { ClaimError } from "../lib/errors.ts";

/** For as long as a Prepare may take, which has no record before its end. */
const PROMISE_MS = 10 * 60_000;
/** More addresses than a node has pods. */
const MAX_TRIES = 65_536;

interface Range {
  readonly text: string;
  readonly family: Family;
  /** Without the network's own address. */
  readonly first: bigint;
  readonly count: bigint;
}

export class RangeAddresses {
  readonly #claims: Pick<ClaimStore, "records" | "get">;
  readonly #clock: Clock;
  readonly #promised = new Map<string, { readonly addresses: readonly string[]; readonly untilMs: number }>();

  constructor(claims: Pick<ClaimStore, "records" | "get">, clock: Clock) {
    this.#claims = claims;
    this.#clock = clock;
  }

  /**
   * One address of each family, from the first of its ranges that has a free one: `10.24.3.7/32`. Asked again for the
   * same device of the same claim it answers the same. Throws a ClaimError when a family has none left.
   */
  take(key: DeviceKey, ranges: readonly string[]): readonly string[] {
    const id = keyText(key);
    const known = [...addressesOf(this.#claims.get(key)), ...(this.#promised.get(id)?.addresses ?? [])];
    const taken = this.#takenByOthers(id);
    const read = ranges.flatMap((text) => rangeOf(text) ?? []);
    const addresses = [...new Set(read.map(({ family }) => family))].map((family) => {
      const ofFamily = read.filter((range) => range.family === family);
      const isUsable = (address: string) => !taken.has(address) && ofFamily.some((range) => isIn(range, address));
      const found = known.find(isUsable) ?? firstFree(ofFamily, taken, id);
      if (found !== undefined) return found;
      const names = ofFamily.map(({ text }) => text).join(", ");
      throw new ClaimError(`no address of ${names} is free: end pods of this node, or widen the range`);
    });
    this.#promised.set(id, { addresses, untilMs: this.#clock.nowMs() + PROMISE_MS });
    return addresses.map((address) => `${address}/${address.includes(":") ? 128 : 32}`);
  }

  #takenByOthers(id: string): ReadonlySet<string> {
    const now = this.#clock.nowMs();
    for (const [other, { untilMs }] of this.#promised) if (untilMs < now) this.#promised.delete(other);
    const others = this.#claims.records.filter((record) => keyText(record) !== id);
    // A record knows better than what was promised before it.
    for (const record of others) this.#promised.delete(keyText(record));
    const promised = [...this.#promised].filter(([other]) => other !== id).flatMap(([, { addresses }]) => addresses);
    return new Set([...others.flatMap(addressesOf), ...promised]);
  }
}

function addressesOf(record: ClaimDevice | undefined): readonly string[] {
  return record?.plan.steps.flatMap((step) => (step.op === "addAddress" ? [step.address.local] : [])) ?? [];
}

/** `undefined` for what is no prefix, or has no address between its first and last one. */
function rangeOf(text: string): Range | undefined {
  const prefix = parsePrefix(text);
  const network = ipNumber(prefix?.network.split("/")[0] ?? "");
  if (prefix === undefined || network === undefined) return undefined;
  const bits = prefix.family === "ipv4" ? 32 : 128;
  const count = (1n << BigInt(bits - prefix.length)) - 2n;
  return count < 1n ? undefined : { text, family: prefix.family, first: network + 1n, count };
}

function isIn({ family, first, count }: Range, address: string): boolean {
  const value = ipNumber(address);
  return (
    value !== undefined && address.includes(":") === (family === "ipv6") && value >= first && value < first + count
  );
}

/** Begins where the claim's identity says: an address that became free is not the next one's at once. */
function firstFree(ranges: readonly Range[], taken: ReadonlySet<string>, id: string): string | undefined {
  const seed = createHash("sha256").update(`address ${id}`).digest().readBigUInt64BE();
  for (const { family, first, count } of ranges) {
    for (let tried = 0n; tried < count && tried < MAX_TRIES; tried++) {
      const address = ipOfNumber(family, first + ((seed + tried) % count));
      if (!taken.has(address)) return address;
    }
  }
  return undefined;
}
