import { expect, test } from "bun:test";
import { type Attributes, AttributeWriter, type StandardAttributes } from "./attributes.ts";

const COMMON: Attributes & StandardAttributes = Object.fromEntries(
  [
    ...[
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
    ],
    ...["pciDevice", "pciSubsystem", "pciVendor", "pfName", "pfPciAddress", "rdma", "rdmaDevice", "rdmaLinkLayer"],
    ...["rdmaSpeedMbps", "sriov", "state", "tcFilterNames", "tcxProgramNames", "type", "virtual"],
    ...["resource.kubernetes.io/numaNode", "resource.kubernetes.io/pciBusID", "resource.kubernetes.io/pcieRoot"],
  ].map((id) => [id, { bool: true }]),
);
/** As they are given up: the least selective first. */
const GIVEN_UP = ["rdmaFirmware", "rdmaPortState", "rdmaProvider", "pfMtu", "rdmaNodeGuid", "vfIndex", "physSwitchId"];

test.each([1, 3, 4, 5, 7])(
  "AttributeWriter.write() leaves 32 of 29 and %d others, the least selective out",
  (count) => {
    const others = GIVEN_UP.slice(0, count);
    const values = { ...COMMON, ...Object.fromEntries(others.map((id) => [id, { bool: true }])) };
    const names = Object.keys(new AttributeWriter("dra.net").write(values));
    expect(names).toEqual(names.toSorted());
    const kept = others.slice(Math.max(0, 29 + count - 32)).map((id) => `dra.net/${id}`);
    const common = Object.keys(COMMON).map((id) => (id.includes("/") ? id : `dra.net/${id}`));
    expect(names).toEqual([...common, ...kept].sort());
  },
);
