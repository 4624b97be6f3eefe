/** What sysfs shows, netlink tells and libibverbs lists of the same RDMA devices. Pure. */

import type { RdmaDevice, RdmaFacts, RdmaPort } from "./facts.ts";
import type { NetnsMode, NldevDevice, NldevPort } from "./nldev-codec.ts";

/** What NETLINK_RDMA tells. */
export interface NldevFacts {
  readonly netnsMode?: NetnsMode;
  readonly devices: readonly (NldevDevice & { readonly ports: readonly NldevPort[] })[];
}

/**
 * Netlink's word goes before that of sysfs, which knows where the device stands. `verbs` are the names that libibverbs
 * lists, `undefined` where the library is not there.
 */
export function joinRdma(
  seen: RdmaFacts,
  told: NldevFacts | undefined,
  verbs: ReadonlySet<string> | undefined,
): RdmaFacts {
  const byName = new Map(seen.devices.map((device) => [device.name, device]));
  for (const device of told?.devices ?? []) byName.set(device.name, joinDevice(byName.get(device.name), device));
  const devices = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    supported: seen.supported,
    ...(told?.netnsMode === undefined ? {} : { netnsMode: told.netnsMode }),
    devices:
      verbs === undefined ? devices : devices.map((device) => ({ ...device, hasProvider: verbs.has(device.name) })),
  };
}

/** A device that this sysfs does not show belongs to another namespace than the one that mounted it. */
function joinDevice(seen: RdmaDevice | undefined, told: NldevFacts["devices"][number]): RdmaDevice {
  const { name, nodeGuid, firmware, protocol } = told;
  const { firmware: _, ...rest } = seen ?? { firmware: undefined };
  const ports = joinPorts(seen?.ports ?? [], told.ports);
  const named = told.ports.flatMap(({ ifname }) => ifname ?? []);
  return {
    overEthernet: protocol === "roce" || protocol === "iw",
    ...rest,
    name,
    ...(nodeGuid === undefined ? {} : { nodeGuid }),
    // A device without firmware has zeros in sysfs and nothing in netlink.
    ...(firmware === undefined ? {} : { firmware }),
    ports,
    ifnames: named.length > 0 ? [...new Set(named)].sort() : (seen?.ifnames ?? []),
  };
}

function joinPorts(seen: readonly RdmaPort[], told: readonly NldevPort[]): readonly RdmaPort[] {
  const byNumber = new Map(seen.map((port) => [port.number, port]));
  for (const port of told) byNumber.set(port.number, { ...byNumber.get(port.number), ...port });
  return [...byNumber.values()].sort((a, b) => a.number - b.number);
}
