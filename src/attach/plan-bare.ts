/** Plans for devices without a link: what containers get of them. Pure. */

import type { AttachPlan } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { Device } from "../inventory/device.ts";
import { refuseLinkFields } from "./bare-config.ts";

/** `undefined` for a device that has, or should have, a link. Throws a ClaimError for what the device cannot be given. */
export function planBare(config: NetworkConfig, device: Device): AttachPlan | undefined {
  const { ifname, rdmaName } = device.identity;
  if (ifname !== undefined || rdmaName === undefined) return undefined;
  refuseLinkFields(config, device.name);
  return { steps: [] };
}
