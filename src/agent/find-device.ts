import type { Device } from "../inventory/device.ts";
import type { Inventory } from "../inventory/inventory.ts";

/** The device of that name; one that is not known is looked for on the host before the answer is no. */
export async function findDevice(inventory: Inventory, name: string, signal: AbortSignal): Promise<Device | undefined> {
  const named = (devices: readonly Device[]) => devices.find((device) => device.name === name);
  return named(inventory.devices) ?? named(await inventory.rescan(signal));
}
