/** The attributes that a device can have, and their order. */

import type { AttributeValue } from "./device.ts";

/** DRANET's (kubernetes-sigs/dranet pkg/apis/attributes.go) and our own, in the driver's domain. In order of code units. */
const IDS = [
  "alias",
  "ebpf",
  "encapsulation",
  "ifName",
  "ipv4",
  "ipv6",
  "isSriovVf",
  "mac",
  "mtu",
  "numaNode",
  "pciAddress",
  "pciDevice",
  "pciSubsystem",
  "pciVendor",
  "pfMtu",
  "pfName",
  "pfPciAddress",
  "physSwitchId",
  "rdma",
  "rdmaDevice",
  "rdmaFirmware",
  "rdmaLinkLayer",
  "rdmaNodeGuid",
  "rdmaPortState",
  "rdmaProvider",
  "rdmaSpeedMbps",
  "sriov",
  "sriovVfs",
  "state",
  "tcFilterNames",
  "tcxProgramNames",
  "type",
  "vfIndex",
  "vfio",
  "virtual",
] as const;

/** resource/v1 ResourceSliceMaxAttributesAndCapacitiesPerDevice. */
const MAX_ATTRIBUTES = 32;
/** What goes first where a device has more than that: our own, the least selective first. */
const DISPENSABLE = [
  "rdmaFirmware",
  "rdmaPortState",
  "rdmaProvider",
  "pfMtu",
  "rdmaNodeGuid",
  "vfIndex",
  "physSwitchId",
] as const satisfies readonly (typeof IDS)[number][];

/** Those that drivers share (k8s.io/dynamic-resource-allocation/deviceattribute, KEP-6072). In order of code units. */
const STANDARD_NAMES = [
  "resource.kubernetes.io/numaNode",
  "resource.kubernetes.io/pciBusID",
  "resource.kubernetes.io/pcieRoot",
] as const;

export type Attributes = { readonly [Id in (typeof IDS)[number]]?: AttributeValue };
export type StandardAttributes = { readonly [Name in (typeof STANDARD_NAMES)[number]]?: AttributeValue };

/** Full names, sorted: thousands of links a scan are no time to sort them again. */
export class AttributeWriter {
  readonly #names: readonly { readonly full: string; readonly id: keyof Attributes | keyof StandardAttributes }[];

  constructor(domain: string) {
    const own = IDS.map((id) => ({ full: `${domain}/${id}`, id }));
    const standard = STANDARD_NAMES.map((id) => ({ full: id, id }));
    this.#names = [...own, ...standard].sort((a, b) => (a.full < b.full ? -1 : 1));
  }

  write(values: Attributes & StandardAttributes): Readonly<Record<string, AttributeValue>> {
    const attributes: Record<string, AttributeValue> = {};
    let surplus = -MAX_ATTRIBUTES;
    for (const { full, id } of this.#names) {
      const value = values[id];
      if (value === undefined) continue;
      attributes[full] = value;
      surplus++;
    }
    if (surplus <= 0) return attributes;
    const dropped = DISPENSABLE.filter((id) => values[id] !== undefined).slice(0, surplus);
    for (const { full, id } of this.#names) if (dropped.some((other) => other === id)) delete attributes[full];
    return attributes;
  }
}
