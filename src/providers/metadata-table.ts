/** Clouds that say everything in a few texts: each is a table of attributes and of where their values stand. */

import { z } from "zod";
import type { Cloud, CloudAttributes, DeviceView } from "./cloud.ts";
import type { Metadata } from "./metadata.ts";
import { parseWith } from "./parse-with.ts";

interface Table {
  /** Paths of the documents, by name. */
  readonly documents: Readonly<Record<string, { readonly path: string; readonly is: "json" | "text" }>>;
  /** By attribute: the document, and the keys that lead to the value in it. */
  readonly host: Readonly<Record<string, readonly string[]>>;
  /** Attributes of a single device; of the documents' values by `at`. */
  readonly device?: (device: DeviceView, at: Lookup) => CloudAttributes;
  /** From a value as it stands to what is published of it. */
  readonly shorten?: (value: string) => string;
}

type Lookup = (keys: readonly string[]) => string | undefined;

/** https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm, at /opc/v2/host/. */
const OKE: Table = {
  documents: { host: { path: "/opc/v2/host/", is: "json" } },
  host: {
    "oke.dra.net/hpcIslandId": ["host", "rdmaTopologyData", "customerHPCIslandId"],
    "oke.dra.net/networkBlockId": ["host", "rdmaTopologyData", "customerNetworkBlock"],
    "oke.dra.net/localBlockId": ["host", "rdmaTopologyData", "customerLocalBlock"],
    "oke.dra.net/gpuMemoryFabricId": ["host", "rdmaTopologyData", "customerGpuMemoryFabric"],
    "oke.dra.net/rackId": ["host", "rackId"],
  },
  // The last part of an OCID is unique, and it alone has room.
  shorten: (value) => (value.startsWith("ocid") ? (value.split(".").at(-1) ?? "").slice(-60) : value),
};

/** https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata */
const ALIBABA: Table = {
  documents: { type: { path: "/latest/meta-data/instance/instance-type", is: "text" } },
  host: { "alibaba.dra.net/instanceType": ["type"] },
  device: ({ driver }) => (driver === "erdma" ? { "alibaba.dra.net/erdma": { bool: true } } : {}),
};

const COREWEAVE_LABELS: Readonly<Record<string, string>> = {
  fabricFlavor: "backend.coreweave.cloud/flavor",
  fabric: "backend.coreweave.cloud/fabric",
  superpod: "backend.coreweave.cloud/superpod",
  leafgroup: "backend.coreweave.cloud/leafgroup",
  leafgroupName: "backend.coreweave.cloud/leafgroup-name",
  rack: "node.coreweave.cloud/rack",
  speedCurrent: "backend.coreweave.cloud/speed.current",
  speedExpected: "backend.coreweave.cloud/speed.expected",
  instanceType: "node.kubernetes.io/instance-type",
};

/** CoreWeave says it in labels of the Node, which stand in place of a document. */
const CKS: Table = {
  documents: {},
  host: Object.fromEntries(
    Object.entries(COREWEAVE_LABELS).map(([id, label]) => [`coreweave.dra.net/${id}`, ["labels", label]]),
  ),
  device: ({ rdmaDevice }, at) => {
    const leafSwitch = at(["labels", `backend.coreweave.cloud/neighbors.expected.${rdmaDevice ?? ""}.device`]);
    return leafSwitch === undefined ? {} : { "coreweave.dra.net/leafSwitch": { string: leafSwitch } };
  },
};

export function readOke(metadata: Metadata): Promise<Cloud> {
  return readTable(OKE, metadata);
}

export function readAlibaba(metadata: Metadata): Promise<Cloud> {
  return readTable(ALIBABA, metadata);
}

export function cksOf(labels: Readonly<Record<string, string>>): Cloud {
  return cloudOf(CKS, { labels });
}

const documentSchema = z.record(z.string(), z.unknown());

async function readTable(table: Table, metadata: Metadata): Promise<Cloud> {
  const read = Object.entries(table.documents).map(async ([name, { path, is }]) => {
    const value = is === "text" ? metadata.textIfAny(path) : metadata.jsonIfAny(path, parseWith(documentSchema));
    return [name, await value] as const;
  });
  return cloudOf(table, Object.fromEntries(await Promise.all(read)));
}

function cloudOf({ host, device, shorten = (value) => value }: Table, documents: unknown): Cloud {
  const at: Lookup = (keys) => {
    const value = keys.reduce<unknown>(
      (inner, key) =>
        typeof inner === "object" && inner !== null && Object.hasOwn(inner, key) ? Reflect.get(inner, key) : undefined,
      documents,
    );
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const common = Object.fromEntries(
    Object.entries(host).flatMap(([name, keys]) => {
      const value = at(keys);
      return value === undefined ? [] : [[name, { string: shorten(value) }]];
    }),
  );
  return { attributes: (view) => ({ ...common, ...device?.(view, at) }) };
}
