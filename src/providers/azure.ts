/** Microsoft Azure (https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service). */

import { z } from "zod";
import { parseIp, parsePrefix } from "../config/ip.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import { type Cloud, type CloudAttributes, type DeviceView, sameMac } from "./cloud.ts";
import type { Metadata } from "./metadata.ts";
import { parseWith } from "./parse-with.ts";
import { AZURE_VERSION } from "./services.ts";

/** Each interface has a routing table of its own: this number and its place in the metadata. */
const FIRST_TABLE = 100;

const text = z.string().default("");
const computeSchema = z.object({
  placementGroupId: text,
  vmSize: text,
  interconnectGroupId: text,
  interconnectSubgroupId: text,
});
const subnetSchema = z.object({ address: text, prefix: text });
const networkSchema = z.object({
  interface: z
    .array(
      z.object({
        macAddress: z.string(),
        ipv4: z.object({ subnet: z.array(subnetSchema).default([]) }).default({ subnet: [] }),
        ipv6: z
          .object({ ipAddress: z.array(z.object({ privateIpAddress: text })).default([]) })
          .default({ ipAddress: [] }),
      }),
    )
    .default([]),
});
type Compute = z.output<typeof computeSchema>;
type Interface = z.output<typeof networkSchema>["interface"][number];

export async function readAzure(metadata: Metadata): Promise<Cloud> {
  const pathOf = (part: string) => `/metadata/instance/${part}?api-version=${AZURE_VERSION}&format=json`;
  const [compute, network] = await Promise.all([
    metadata.json(pathOf("compute"), parseWith(computeSchema)),
    metadata.json(pathOf("network"), parseWith(networkSchema)),
  ]);
  const common = computeAttributes(compute);
  const find = (device: DeviceView) => network.interface.findIndex(({ macAddress }) => sameMac(macAddress, device));
  return {
    attributes: (device) => ({ ...common, ...subnetAttribute(network.interface[find(device)]) }),
    config: async (device, { gateway6 }) => {
      const place = find(device);
      const found = network.interface[place];
      return found === undefined ? undefined : await configOf(found, FIRST_TABLE + place, gateway6);
    },
    lacks: (device) => find(device) < 0,
  };
}

function computeAttributes(compute: Compute): CloudAttributes {
  const named = Object.entries(compute).filter(([, value]) => value !== "");
  return Object.fromEntries(named.map(([id, value]) => [`azure.dra.net/${id}`, { string: value }]));
}

function subnetAttribute(found: Interface | undefined): CloudAttributes {
  const [first] = subnetsOf(found);
  return first === undefined ? {} : { "azure.dra.net/ipv4Subnet": { string: first.network } };
}

/**
 * Packets from the interface's own addresses go out by it: Azure drops what leaves by another. The gateway of an IPv4
 * subnet is its first address; that of IPv6 is known only to the host, by router advertisement.
 */
async function configOf(
  found: Interface,
  table: number,
  gateway6: () => Promise<string | undefined>,
): Promise<NetworkConfig | undefined> {
  const subnets = subnetsOf(found);
  const [first] = subnets;
  const addresses6 = globalAddresses(found);
  const gateway = addresses6.length === 0 ? undefined : await gateway6();
  const rules = [
    ...subnets.map(({ network }) => ({ source: network, table })),
    ...(gateway === undefined ? [] : addresses6.map((address) => ({ source: `${address}/128`, table }))),
  ];
  const routes = [
    ...(first === undefined ? [] : [{ destination: "0.0.0.0/0", gateway: firstAddress(first.text), table }]),
    ...(gateway === undefined ? [] : [{ destination: "::/0", gateway, table }]),
  ];
  return rules.length === 0 ? undefined : { rules, routes };
}

/** IPv4 subnets that have a first address beside their own. */
function subnetsOf(found: Interface | undefined) {
  return (found?.ipv4.subnet ?? []).flatMap(({ address, prefix }) => {
    const subnet = parsePrefix(`${address}/${prefix}`);
    const isUsable = subnet?.family === "ipv4" && subnet.length <= 30 && subnet.cidr === subnet.network;
    return isUsable ? [subnet] : [];
  });
}

function firstAddress(network: string): string {
  // The last byte of a network of at most 30 bits is a multiple of four.
  return network.replace(/\d+$/, (last) => String(Number(last) + 1));
}

function globalAddresses(found: Interface): readonly string[] {
  return found.ipv6.ipAddress.flatMap(({ privateIpAddress }) => {
    const address = parseIp(privateIpAddress);
    return address?.family === "ipv6" && !/^fe[89ab]/.test(address.text) ? [address.text] : [];
  });
}
