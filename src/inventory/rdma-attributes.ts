/** Attributes of a device that come from its RDMA device, without their domain. */

import type { RdmaDevice } from "../rdma/facts.ts";
import type { Attributes } from "./attributes.ts";
import type { AttributeValue } from "./device.ts";
import { clampText } from "./text-limit.ts";

/**
 * `rdma` and `rdmaDevice` are DRANET's, the others tell what `rdma link` and `ibv_devinfo` would: state, speed and link
 * layer are those of the port that the link `ifname` is, else of the first. What is not known is left out.
 */
export function rdmaAttributes(rdma: RdmaDevice | undefined, ifname?: string): Attributes {
  if (rdma === undefined) return { rdma: { bool: false } };
  const { name, nodeGuid, firmware, ports = [], hasProvider } = rdma;
  const port = ports.find((candidate) => candidate.ifname === ifname) ?? ports[0];
  return {
    rdma: { bool: true },
    rdmaDevice: text(name),
    ...(firmware === undefined ? {} : { rdmaFirmware: text(firmware) }),
    ...(port?.linkLayer === undefined ? {} : { rdmaLinkLayer: text(port.linkLayer) }),
    ...(nodeGuid === undefined ? {} : { rdmaNodeGuid: text(nodeGuid) }),
    ...(port?.state === undefined ? {} : { rdmaPortState: text(port.state) }),
    ...(hasProvider === undefined ? {} : { rdmaProvider: { bool: hasProvider } }),
    ...(port?.rateMbps === undefined ? {} : { rdmaSpeedMbps: { int: port.rateMbps } }),
  };
}

function text(value: string): AttributeValue {
  return { string: clampText(value) };
}
