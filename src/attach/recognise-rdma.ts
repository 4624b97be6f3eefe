import type { RdmaPlan } from "../claims/record.ts";
import type { NldevFacts } from "../rdma/join.ts";

type NldevDevice = NldevFacts["devices"][number];

/** Of a device whose driver was told none. */
const NO_GUID = "0000:0000:0000:0000";

/**
 * The RDMA device among those that a namespace shows, also when someone or the kernel renamed it: the GUID is that of the
 * hardware, where it has one of its own.
 */
export function findRdma(
  { name, nodeGuid }: Pick<RdmaPlan, "name" | "nodeGuid">,
  devices: readonly NldevDevice[],
): NldevDevice | undefined {
  const sameGuid = devices.filter((device) => nodeGuid !== NO_GUID && device.nodeGuid === nodeGuid);
  return (
    sameGuid.find((device) => device.name === name) ??
    (sameGuid.length === 1 ? sameGuid[0] : undefined) ??
    devices.find((device) => device.name === name)
  );
}
