/** What is published while claims hold devices. */

import type { Device } from "./device.ts";
import { byName } from "./devices-of.ts";
import { linkDeviceName, uniqueName } from "./names.ts";

/**
 * The scanned devices, with each held one in place of whatever the scan sees of it, exactly as it was when it was
 * prepared, of several times the first: it does not matter whether its link is still here, in the pod, or back under the pod's name. Sorted.
 */
export function mergeHeld(scanned: readonly Device[], held: readonly Device[]): Device[] {
  const merged = [...new Map(held.toReversed().map((device) => [device.name, device])).values()];
  const names = new Set(merged.map((device) => device.name));
  for (const device of scanned) {
    if (held.some((other) => isSameHardware(device, other))) continue;
    const name = names.has(device.name) ? nameBeside(device, held, names) : device.name;
    if (name === undefined) continue;
    names.add(name);
    merged.push(name === device.name ? device : { ...device, name });
  }
  return merged.sort(byName);
}

/**
 * A function whose main link is in a pod may have a second link, which the scan then takes for the main one: it keeps
 * the name of its own that it had before. Anything else of a held device's name is that device; a VF has one link only.
 */
function nameBeside(device: Device, held: readonly Device[], names: ReadonlySet<string>): string | undefined {
  const holder = held.find((other) => other.name === device.name);
  const { ifname, permanentAddress } = device.identity;
  const isOther =
    holder?.identity.pfAddress === undefined &&
    ifname !== undefined &&
    permanentAddress !== undefined &&
    holder?.identity.permanentAddress !== undefined &&
    holder.identity.permanentAddress !== permanentAddress;
  return isOther ? uniqueName(linkDeviceName(ifname), names) : undefined;
}

/** The same port of the same hardware, under whatever name: a physical link that the kernel sent home keeps the pod's. */
function isSameHardware(a: Device, b: Device): boolean {
  const hasKind = a.identity.kind !== undefined || b.identity.kind !== undefined;
  const address = a.identity.permanentAddress;
  return (
    !hasKind &&
    address !== undefined &&
    address === b.identity.permanentAddress &&
    a.identity.pciAddress === b.identity.pciAddress
  );
}
