/** Google Compute Engine (https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys). */

import { z } from "zod";
import { tableNamed } from "../attach/vrf.ts";
import { ipNumber, ipOfNumber, parseIp, parsePrefix } from "../config/ip.ts";
import { joinEntries } from "../inventory/text-limit.ts";
import type { ChildNetwork } from "./child-network.ts";
import { type Cloud, type CloudAttributes, type DeviceView, sameMac } from "./cloud.ts";
import type { Metadata } from "./metadata.ts";
import { parseWith } from "./parse-with.ts";

const INSTANCE = "/computeMetadata/v1/instance";
const interfacesSchema = z.array(
  z.object({
    mac: z.string(),
    /** `projects/628944397724/networks/default` */
    network: z.string().default(""),
    ipAliases: z.array(z.string()).default([]),
    gateway: z.string().default(""),
    ipv6: z.array(z.string()).default([]),
    gatewayIpv6: z.string().default(""),
  }),
);
type Interface = z.output<typeof interfacesSchema>[number];

export async function readGce(metadata: Metadata): Promise<Cloud> {
  const [machineType, physicalHost, interfaces] = await Promise.all([
    metadata.text(`${INSTANCE}/machine-type`),
    metadata.textIfAny(`${INSTANCE}/attributes/physical_host`),
    metadata.json(`${INSTANCE}/network-interfaces/?recursive=true&alt=json`, parseWith(interfacesSchema)),
  ]);
  const common = {
    // `projects/628944397724/machineTypes/a3-highgpu-8g`
    "gce.dra.net/machineType": { string: machineType.split("/").at(-1) ?? "" },
    ...topology(physicalHost ?? ""),
  };
  const find = (device: DeviceView) => interfaces.find(({ mac }) => sameMac(mac, device));
  return {
    attributes: (device) => ({ ...common, ...interfaceAttributes(find(device)) }),
    children: (device) => childNetwork(find(device)),
    lacks: (device) => find(device) === undefined,
  };
}

/** `/block/subBlock/host`, of machines in a compact placement. */
function topology(physicalHost: string): CloudAttributes {
  const [block, subBlock, host] = physicalHost.replace(/^\//, "").split("/");
  if (!block || !subBlock || !host) return {};
  return {
    "gce.dra.net/block": { string: block },
    "gce.dra.net/subBlock": { string: subBlock },
    "gce.dra.net/host": { string: host },
  };
}

function interfaceAttributes(found: Interface | undefined): CloudAttributes {
  if (found === undefined) return {};
  const [, project, network] = /^projects\/(\d+)\/networks\/([^/]+)$/.exec(found.network) ?? [];
  return {
    ...(found.ipAliases.length === 0 ? {} : { "gce.dra.net/ipAliases": { string: joinEntries(found.ipAliases) } }),
    ...(network === undefined ? {} : { "gce.dra.net/networkName": { string: network } }),
    ...(project === undefined ? {} : { "gce.dra.net/networkProjectNumber": { int: Number(project) } }),
  };
}

/** One alias range and one part of the interface's IPv6 network are the node's pods', as DRANET divides them. */
function childNetwork(found: Interface | undefined): ChildNetwork | undefined {
  if (found === undefined) return undefined;
  const ranges = [...found.ipv6.slice(0, 1).map(podPart), ...found.ipAliases.slice(0, 1)];
  return {
    ranges: ranges.filter((range) => range !== ""),
    gateways: [found.gateway, found.gatewayIpv6].filter((gateway) => parseIp(gateway) !== undefined),
    table: tableNamed(found.mac),
  };
}

/** `2001:db8:1:2::/64` → `2001:db8:1:2:c0de::/80`; empty where there is no room. */
function podPart(text: string): string {
  const prefix = parsePrefix(text);
  const network = ipNumber(prefix?.network.split("/")[0] ?? "");
  if (prefix?.family !== "ipv6" || network === undefined) return "";
  const length = 16 * Math.ceil(prefix.length / 16) + 16;
  if (length > 112) return "";
  return `${ipOfNumber("ipv6", network | (0xc0den << BigInt(128 - length)))}/${length}`;
}
