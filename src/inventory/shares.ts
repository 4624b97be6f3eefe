import type { Device } from "./device.ts";

export interface Sharing {
  readonly isShareable: (attributes: Device["attributes"]) => boolean;
  /** How many claims may have a device that is shareable. */
  readonly maxShares: number;
}

/** The device as it is offered: a claim's share of it is a link that stands on its link. */
export function withShares(device: Device, { isShareable, maxShares }: Sharing): Device {
  if (device.identity.ifname === undefined || !isShareable(device.attributes)) return device;
  return { ...device, shares: maxShares };
}
