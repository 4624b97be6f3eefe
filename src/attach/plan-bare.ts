/** Plans for devices without a link: what containers get of them. */

import type { AttachPlan } from "../claims/record.ts";
import type { Device } from "../inventory/device.ts";
import { ClaimError } from "../lib/errors.ts";
import { refuseLinkFields } from "./bare-config.ts";
import type { AllocatedDevice } from "./prepare.ts";

/** `undefined` for a device that has, or should have, a link. Throws a ClaimError for what the device cannot be given. */
export async function planBare({ config }: AllocatedDevice, device: Device): Promise<AttachPlan | undefined> {
  const { ifname, rdmaName } = device.identity;
  if (ifname !== undefined || rdmaName === undefined) return undefined;
  refuseLinkFields(config, device.name);
  throw new ClaimError(`device ${device.name} has no network interface: this version of netferry does not hand it out`);
}
