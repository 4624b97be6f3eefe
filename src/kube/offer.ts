/** Devices as the API server will take them: one bad device must not cost the node all others. Pure. */

import type { AttributeValue, Device } from "../inventory/device.ts";
import type { SliceAttribute, SliceDevice } from "./client/wire.ts";
import {
  clampUtf8,
  isAttributeName,
  isLabel,
  isVersion,
  MAX_ATTRIBUTES_PER_DEVICE,
  MAX_VALUE_BYTES,
  MAX_VALUES_PER_DEVICE,
} from "./limits.ts";

export interface OfferProblem {
  readonly device: string;
  /** Absent when the whole device was left out. */
  readonly attribute?: string;
  /** A full sentence for the log. */
  readonly problem: string;
}

export interface Offer {
  /** Sorted by name, names unique. */
  readonly devices: readonly SliceDevice[];
  readonly problems: readonly OfferProblem[];
}

export function offerDevices(devices: readonly Device[], driver: string): Offer {
  const problems: OfferProblem[] = [];
  const offered = new Map<string, SliceDevice>();
  for (const device of devices) {
    const { name } = device;
    if (!isLabel(name))
      problems.push({ device: name, problem: `device ${JSON.stringify(name)} is left out: its name is no DNS label` });
    else if (offered.has(name))
      problems.push({ device: name, problem: `device ${name} is left out: another device has the same name` });
    else offered.set(name, { name, attributes: attributesOf(device, driver, problems), ...sharesOf(device, driver) });
  }
  return { devices: [...offered.values()].sort((a, b) => compare(a.name, b.name)), problems };
}

/** KEP-5075: each claim's share is one link that stands on the device's. */
function sharesOf({ shares }: Device, driver: string): Pick<SliceDevice, "allowMultipleAllocations" | "capacity"> {
  if (shares === undefined) return {};
  const requestPolicy = { default: "1", validValues: ["1"] };
  return {
    allowMultipleAllocations: true,
    capacity: { [`${driver}/subInterfaces`]: { value: String(shares), requestPolicy } },
  };
}

function attributesOf(device: Device, driver: string, problems: OfferProblem[]): Record<string, SliceAttribute> {
  const leaveOut = (attribute: string, why: string) =>
    problems.push({
      device: device.name,
      attribute,
      problem: `${attribute} of device ${device.name} is left out: ${why}`,
    });
  const kept: Record<string, SliceAttribute> = {};
  const taken = new Set<string>();
  let room = MAX_ATTRIBUTES_PER_DEVICE - (device.shares === undefined ? 0 : 1); // capacities count too
  let valueRoom = MAX_VALUES_PER_DEVICE;
  for (const name of Object.keys(device.attributes).sort((a, b) => compareRank(a, b, driver))) {
    const value = device.attributes[name];
    if (value === undefined) continue;
    // `x` and `<driver>/x` are one key for CEL and for the server.
    const key = name.includes("/") ? name : `${driver}/${name}`;
    const encoded = encodeValue(value);
    if (!isAttributeName(name)) leaveOut(name, "its name is no C identifier of at most 32 characters within a domain");
    else if (typeof encoded === "string") leaveOut(name, encoded);
    else if (taken.has(key)) leaveOut(name, `it is the same attribute as ${key}`);
    else if (room === 0) leaveOut(name, `a device has room for ${MAX_ATTRIBUTES_PER_DEVICE} attributes`);
    else if (valueRoom < valuesIn(encoded)) leaveOut(name, `a device has room for ${MAX_VALUES_PER_DEVICE} values`);
    else {
      taken.add(key);
      room--;
      valueRoom -= valuesIn(encoded);
      kept[name] = encoded;
    }
  }
  return Object.fromEntries(Object.entries(kept).sort(([a], [b]) => compare(a, b)));
}

/** The value, or why it cannot be published. Long strings are cut: half a name is more use than none. */
function encodeValue(value: AttributeValue): SliceAttribute | string {
  if ("string" in value) return { string: clampUtf8(value.string) };
  if ("bool" in value) return { bool: value.bool };
  if ("int" in value) return Number.isSafeInteger(value.int) ? { int: value.int } : `${value.int} is no integer`;
  if ("ints" in value)
    return value.ints.length > 0 && value.ints.every(Number.isSafeInteger)
      ? { ints: value.ints }
      : `${JSON.stringify(value.ints)} is no list of integers`;
  if (isVersion(value.version)) return { version: value.version };
  return `${JSON.stringify(clampUtf8(value.version))} is no semantic version of at most ${MAX_VALUE_BYTES} bytes`;
}

function valuesIn(attribute: SliceAttribute): number {
  return attribute.ints?.length ?? 1;
}

/** Who stays when room is short: what constraints across drivers match on, then our own, then the clouds'. */
function compareRank(a: string, b: string, driver: string): number {
  return rank(a, driver) - rank(b, driver) || compare(a, b);
}

function rank(name: string, driver: string): number {
  if (name.startsWith("resource.kubernetes.io/")) return 0;
  return name.startsWith(`${driver}/`) || !name.includes("/") ? 1 : 2;
}

/** By code unit: the same everywhere, whatever the locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
