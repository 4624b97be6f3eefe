import type { AttributeValue, Device } from "../inventory/device.ts";
import { clampText } from "../inventory/text-limit.ts";
import type { CloudAttributes } from "./cloud.ts";

/** The device with the cloud's attributes beside its own, or in their place, sorted by name; texts cut to their limit. */
export function enriched(device: Device, attributes: CloudAttributes): Device {
  const added = Object.entries(attributes).map(([name, value]) => [name, within(value)] as const);
  if (added.length === 0) return device;
  const all = [...Object.entries(device.attributes).filter(([name]) => !Object.hasOwn(attributes, name)), ...added];
  return { ...device, attributes: Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function within(value: AttributeValue): AttributeValue {
  return "string" in value ? { string: clampText(value.string) } : value;
}
