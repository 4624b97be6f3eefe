import type { RdmaPlan } from "../claims/record.ts";
import type { NldevFacts } from "../rdma/join.ts";

type NldevDevice = NldevFacts["devices"][number];

/** Of a device whose driver was told none. */
const NO_GUID = "0000:0000:0000:0000";

/**
 * The RDMA device among those that a namespace shows, also when someone or the kernel renamed it: the GUID is that of the
 * hardware, where it has one of its own. One in software has that of its link's address, which other links may have too:
 * what stands on another link than `ifname` is another one.
 */
export function findRdma(
  { name, nodeGuid, kind }: Pick<RdmaPlan, "name" | "nodeGuid" | "kind">,
  devices: readonly NldevDevice[],
  ifname?: string,
): NldevDevice | undefined {
  const candidates = kind === undefined ? devices : devices.filter((device) => !standsElsewhere(device, ifname));
  const isTelling = nodeGuid !== undefined && nodeGuid !== NO_GUID;
  const sameGuid = candidates.filter((device) => isTelling && device.nodeGuid === nodeGuid);
  return (
    sameGuid.find((device) => device.name === name) ??
    (sameGuid.length === 1 ? sameGuid[0] : undefined) ??
    candidates.find((device) => device.name === name)
  );
}

export function standsOn({ ports }: NldevDevice, ifname: string): boolean {
  return ports.some((port) => port.ifname === ifname);
}

/** A link of another namespace is not shown. */
function standsElsewhere({ ports }: NldevDevice, ifname: string | undefined): boolean {
  return ports.some((port) => port.ifname !== undefined && port.ifname !== ifname);
}
