import { expect, test } from "bun:test";
import { claimOfFile, markerIn, type Receipt, receiptFiles } from "./receipt.ts";

const receipt: Receipt = {
  driver: "dra.net",
  claimUid: "11-22",
  sandboxId: "s1",
  netnsPath: "/run/netns/cni-1",
  requests: { nic: [{ link: "net1" }], ib: [{}], main: [{ link: "eth0" }, { link: "net2" }] },
  alias: "fast",
};

interface Spec {
  kind: string;
  devices: { name: string; containerEdits: { env: string[]; mounts: { hostPath: string; containerPath: string }[] } }[];
}

const parsed = (name: string): Spec => JSON.parse(receiptFiles(receipt)[name] ?? "null");

test("receiptFiles() has one device per request, each with the marker of its sandbox", () => {
  const spec = parsed("netferry-dra.net-11-22.json");
  expect(spec.kind).toBe("netferry.dev/dra.net");
  expect(spec.devices.map((device) => device.name)).toEqual(["11-22-nic", "11-22-ib", "11-22-main"]);
  for (const device of spec.devices) expect(markerIn(device.containerEdits.env, "11-22")).toBe("s1");
});

test("receiptFiles() guards a link by its sysctl, and one that any pod has by the namespace file", () => {
  const guards = parsed("netferry-dra.net-11-22.json").devices.map((d) =>
    d.containerEdits.mounts.map((m) => m.hostPath),
  );
  expect(guards).toEqual([
    ["/proc/sys/net/ipv4/conf/net1/forwarding"],
    ["/run/netns/cni-1"],
    ["/run/netns/cni-1", "/proc/sys/net/ipv4/conf/net2/forwarding"],
  ]);
});

test("receiptFiles() gives character devices to their request alone, a shared one once, as they are on the host", () => {
  const node = (path: string, minor: number) => ({ path, major: 231, minor, permissions: "rw" });
  const uverbs = { ...node("/dev/infiniband/uverbs0", 192), mode: 0o660, uid: 0, gid: 104 };
  const files = receiptFiles({
    ...receipt,
    requests: {
      nic: [{ link: "net1" }],
      ib: [{ deviceNodes: [uverbs, node("/dev/c", 1)] }, { deviceNodes: [node("/dev/c", 1)] }],
    },
  });
  const { devices } = JSON.parse(files["netferry-dra.net-11-22.json"] ?? "null");
  expect(
    devices.map((device: { containerEdits: object }) => Reflect.get(device.containerEdits, "deviceNodes")),
  ).toEqual([
    undefined,
    [
      {
        path: "/dev/infiniband/uverbs0",
        type: "c",
        major: 231,
        minor: 192,
        permissions: "rw",
        fileMode: 0o660,
        uid: 0,
        gid: 104,
      },
      { path: "/dev/c", type: "c", major: 231, minor: 1, permissions: "rw" },
    ],
  ]);
});

test("receiptFiles() has no guard in a pod with the host's network", () => {
  const { netnsPath: _, ...host } = receipt;
  const { devices } = JSON.parse(
    receiptFiles({ ...host, requests: { ib: [{}] } })["netferry-dra.net-11-22.json"] ?? "null",
  );
  expect(devices[0].containerEdits).toEqual({ env: ["NETFERRY_SANDBOX_11_22=s1"] });
});

test("receiptFiles() offers the alias with the edits of all requests", () => {
  const spec = parsed("netferry-dra.net-11-22-alias.json");
  expect(spec.kind).toBe("netferry.dev/claim");
  expect(spec.devices.map((device) => device.name)).toEqual(["fast"]);
  expect(spec.devices[0]?.containerEdits.mounts).toHaveLength(4);
});

test("claimOfFile() knows both files of a claim and nobody else's", () => {
  for (const name of Object.keys(receiptFiles(receipt))) expect(claimOfFile("dra.net", name)).toBe("11-22");
  expect(claimOfFile("dra.net", "nvidia.json")).toBeUndefined();
  expect(claimOfFile("other", "netferry-dra.net-11-22.json")).toBeUndefined();
});

test("markerIn() does not take one claim's marker for another's", () => {
  expect(markerIn(["NETFERRY_SANDBOX_11_22=s1"], "11")).toBeUndefined();
});
