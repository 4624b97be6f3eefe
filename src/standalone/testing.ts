/** Small makers of values for unit tests. */

import type { Device } from "../inventory/device.ts";
import type { ResourceClaim } from "./objects.ts";

export function device(name: string, attributes: Device["attributes"] = {}): Device {
  return { name, identity: { ifname: name }, attributes };
}

export function claim(
  name: string,
  requests: ResourceClaim["requests"],
  more: Partial<ResourceClaim> = {},
): ResourceClaim {
  return {
    uid: `uid-${name}`,
    namespace: "default",
    name,
    digest: "d1",
    requests,
    constraints: [],
    configs: [],
    ...more,
  };
}
