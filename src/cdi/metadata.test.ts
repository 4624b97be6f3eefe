import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClaimMetadata, metadataPaths, metadataText } from "./metadata.ts";
import { MetadataFiles } from "./metadata-files.ts";
import { type Receipt, receiptFiles } from "./receipt.ts";

const root = mkdtempSync(join(tmpdir(), "netferry-metadata-"));
afterAll(() => rmSync(root, { recursive: true }));

const claim: ClaimMetadata = {
  namespace: "ns",
  name: "pod0-net-2kqrd",
  podClaimName: "net",
  devices: [
    {
      request: "nic/fast",
      pool: "worker-0",
      name: "eth1",
      attributes: { "dra.net/mtu": { int: 9000 } },
      networkData: { interfaceName: "net1", ips: ["10.0.0.1/24"] },
    },
    { request: "ib", pool: "worker-0", name: "pci-0000-3b-00-0", attributes: {} },
  ],
};
const receipt: Receipt = {
  driver: "dra.net",
  claimUid: "11-22",
  sandboxId: "s1",
  netnsPath: "/run/netns/cni-1",
  requests: { nic: [{ link: "net1" }], ib: [{}] },
  metadata: claim,
};

test("metadataText() has the same object once for each version, the newest first, of one request alone", () => {
  const objects = metadataText("dra.net", "11-22", claim, "nic", 3)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(objects.map(({ apiVersion }) => apiVersion)).toEqual([
    "metadata.resource.k8s.io/v1beta1",
    "metadata.resource.k8s.io/v1alpha1",
  ]);
  for (const object of objects)
    expect(object).toEqual({
      kind: "DeviceMetadata",
      apiVersion: object.apiVersion,
      metadata: { name: "pod0-net-2kqrd", namespace: "ns", uid: "11-22", generation: 3 },
      podClaimName: "net",
      requests: [
        {
          name: "nic/fast",
          devices: [
            {
              driver: "dra.net",
              pool: "worker-0",
              name: "eth1",
              attributes: { "dra.net/mtu": { int: 9000 } },
              networkData: { interfaceName: "net1", ips: ["10.0.0.1/24"] },
            },
          ],
        },
      ],
    });
});

test("metadataPaths() tells claims of a template from those that a pod names", () => {
  expect(metadataPaths("dra.net", claim, "nic")).toEqual([
    "/var/run/kubernetes.io/dra-device-attributes/resourceclaimtemplates/net/nic/dra.net-metadata.json",
    "/var/run/dra-device-attributes/net/nic/dra.net-metadata.json",
  ]);
  const { podClaimName: _, ...named } = claim;
  expect(metadataPaths("dra.net", named, "nic")).toEqual([
    "/var/run/kubernetes.io/dra-device-attributes/resourceclaims/pod0-net-2kqrd/nic/dra.net-metadata.json",
    "/var/run/dra-device-attributes/pod0-net-2kqrd/nic/dra.net-metadata.json",
  ]);
});

test("receiptFiles() mounts each request's file at both paths, read-only, where there is a directory for them", () => {
  const spec = JSON.parse(receiptFiles(receipt, "/var/lib/files")["netferry-dra.net-11-22.json"] ?? "");
  const mounts: { hostPath: string; containerPath: string; options: string[] }[] =
    spec.devices[1].containerEdits.mounts;
  const files = mounts.filter(({ containerPath }) => containerPath.startsWith("/var/run/"));
  expect(files.map(({ hostPath }) => hostPath)).toEqual(Array(2).fill("/var/lib/files/11-22/ib/dra.net-metadata.json"));
  for (const { options } of files) expect(options).toContain("ro");
  expect(JSON.stringify(receiptFiles(receipt))).not.toContain("metadata.json");
});

test("MetadataFiles counts generations up only when something changed, and removes all of a claim", () => {
  const files = new MetadataFiles(join(root, "a/b"));
  const path = join(root, "a/b/11-22/nic/dra.net-metadata.json");
  const generations = () =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).metadata.generation);
  expect(files.claims()).toEqual([]);
  files.write(receipt);
  files.write(receipt);
  expect(generations()).toEqual([1, 1]);
  expect(statSync(path).mode & 0o777).toBe(0o644);
  const [nic, ...others] = claim.devices;
  if (nic === undefined) throw new Error("the claim has a device");
  const networkData = { interfaceName: "net1", ips: ["10.0.0.2/24"] };
  files.write({ ...receipt, metadata: { ...claim, devices: [{ ...nic, networkData }, ...others] } });
  expect(generations()).toEqual([2, 2]);
  expect(files.claims()).toEqual(["11-22"]);
  files.remove("11-22");
  expect(files.claims()).toEqual([]);
});

test("MetadataFiles leaves no directory behind, but those of other claims", () => {
  const files = new MetadataFiles(join(root, "gone"));
  files.write(receipt);
  files.write({ ...receipt, claimUid: "33-44" });
  files.remove("11-22");
  expect(files.claims()).toEqual(["33-44"]);
  files.remove("33-44");
  files.remove("33-44");
  expect(existsSync(files.directory)).toBe(false);
});
