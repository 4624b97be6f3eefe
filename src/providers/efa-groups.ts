/**
 * Which EFA devices of a Trainium host belong to which Neuron devices: facts of
 * https://github.com/aws-neuron/connected-device-maps-over-efa-for-neuron (lookup/neuron/*.json and lookup.go at d571025),
 * which the Neuron DRA driver publishes in the same form, so that a claim can match both by these attributes.
 */

import { createHash } from "node:crypto";

/** Address of the EFA device that each Neuron device, counted from 0, is connected to; the domain is 0000. */
const EFA_OF_NEURON = {
  trn1: "10:1a.0 10:1a.0 a0:1a.0 a0:1a.0 20:19.0 20:19.0 90:19.0 90:19.0 20:1a.0 20:1a.0 90:1a.0 90:1a.0 10:19.0 10:19.0 a0:19.0 a0:19.0",
  trn1n:
    "10:17.0 10:1a.0 a0:17.0 a0:1a.0 20:19.0 20:18.0 90:19.0 90:18.0 20:17.0 20:1a.0 90:17.0 90:1a.0 10:19.0 10:18.0 a0:19.0 a0:18.0",
  trn2: "c9:00.0 b4:00.0 b3:00.0 ca:00.0 6c:00.0 57:00.0 56:00.0 6d:00.0 98:00.0 83:00.0 82:00.0 99:00.0 f5:00.0 e0:00.0 df:00.0 f6:00.0",
  trn3: "be:00.0 a9:00.0 a8:00.0 bf:00.0 61:00.0 4c:00.0 4b:00.0 62:00.0 8d:00.0 78:00.0 77:00.0 8e:00.0 ea:00.0 d5:00.0 d4:00.0 eb:00.0",
  trn3pds:
    "a9:00.0 a8:00.0 bf:00.0 be:00.0 d5:00.0 d4:00.0 eb:00.0 ea:00.0 4c:00.0 4b:00.0 62:00.0 61:00.0 78:00.0 77:00.0 8e:00.0 8d:00.0",
} as const;

/** The instance types that have EFA devices. */
const MAP_OF_TYPE: Readonly<Record<string, keyof typeof EFA_OF_NEURON>> = {
  "trn1.32xlarge": "trn1",
  "trn1n.32xlarge": "trn1n",
  "trn2.48xlarge": "trn2",
  "trn2e.48xlarge": "trn2",
  "trn2u.48xlarge": "trn2",
  "trn3.48xlarge": "trn3",
  "trn3p.48xlarge": "trn3",
  "trn3pd98.48xlarge": "trn3",
  "trn3s.48xlarge": "trn3",
  "trn3-dev0.48xlarge": "trn3pds",
  "trn3-dev1.48xlarge": "trn3pds",
};

/** Ids of the groups of 1, 4, 8 and 16 Neuron devices that the EFA device belongs to; empty when it is in no map. */
export function efaGroups(instanceType: string, pciAddress: string): Readonly<Record<string, string>> {
  const map = MAP_OF_TYPE[instanceType];
  if (map === undefined) return {};
  const addresses = EFA_OF_NEURON[map].split(" ").map((address) => `0000:${address}`);
  const neuron = addresses.lastIndexOf(pciAddress);
  if (neuron < 0) return {};
  const groups = [4, 8, 16].map((size) => [`resource.aws.com/devicegroup${size}_id`, groupId(addresses, neuron, size)]);
  return { "resource.aws.com/devicegroup1_id": pciAddress, ...Object.fromEntries(groups) };
}

/** The first 16 digits of the SHA-256 of the group's addresses, once each, sorted, between commas. */
function groupId(addresses: readonly string[], neuron: number, size: number): string {
  const first = neuron - (neuron % size);
  const members = [...new Set(addresses.slice(first, first + size))].sort();
  return createHash("sha256").update(members.join(",")).digest("hex").slice(0, 16);
}
