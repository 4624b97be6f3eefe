/**
 * Runs in an emulated machine, in either mode and on either kernel: whether an RDMA device would move is found out without
 * touching it, and what moves is what was said to.
 */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { kernelCalls } from "../../../src/kernel/serve.ts";
import { eventually } from "../../fakes/eventually.ts";
import { HeldTestNetns } from "../../lab/held-netns.ts";
import { HostLinks } from "../../lab/links.ts";
import { addRdmaLink, rdma } from "../../lab/rdma.ts";

const isExclusive = rdma("system").startsWith("netns exclusive");
/** Soft-RoCE can be moved since Linux 6.19 or so. */
const isNew = !Bun.spawnSync(["uname", "-r"]).stdout.toString().startsWith("6.");

const calls = kernelCalls();
let links: HostLinks;
beforeEach(() => {
  links = new HostLinks();
});
afterEach(() => links[Symbol.dispose]());

/** A process that has the device open. */
function opened(name: string) {
  return Bun.spawn(["ibv_asyncwatch", "-d", name], { stdout: "pipe", stderr: "pipe" });
}

test("canMoveRdma() tells what the kernel would do, and leaves a device that is in use alone", async () => {
  const { name } = addRdmaLink(links);
  const user = opened(name);
  try {
    await eventually("it is open", () => rdma("res", "show").match(new RegExp(`${name}.*ctx [1-9]`)) !== null);
    const before = [rdma("-j", "-d", "dev"), rdma("-j", "link"), rdma("-j", "res", "show")];
    expect(calls.canMoveRdma({ name })).toBe(isExclusive && isNew);
    expect([rdma("-j", "-d", "dev"), rdma("-j", "link"), rdma("-j", "res", "show")]).toEqual(before);
    expect(user.exitCode).toBeNull();
  } finally {
    user.kill();
    await user.exited;
  }
});

test("moveRdma() does as was told, there and back", () => {
  const { name } = addRdmaLink(links);
  const [home] = calls.readRdma({ netns: "host" }).devices;
  using pod = new HeldTestNetns(calls);
  const move = () => calls.moveRdma({ from: "host", name, to: pod.ref });
  if (!(isExclusive && isNew)) {
    expect(move).toThrow("EOPNOTSUPP");
    expect(calls.readRdma({ netns: "host" }).devices).toEqual(home === undefined ? [] : [home]);
    return;
  }
  move();
  expect(calls.readRdma({ netns: "host" }).devices).toEqual([]);
  expect(calls.readRdma({ netns: pod.ref }).devices.map((device) => device.name)).toEqual([name]);
  expect(calls.rdmaNodes({ netns: pod.ref, name, types: ["uverbs"] }).nodes).toHaveLength(1);
  calls.moveRdma({ from: pod.ref, name, to: "host" });
  expect(calls.readRdma({ netns: "host" }).devices).toEqual(home === undefined ? [] : [home]);
});

test("rdmaNodes() has the files of /dev/infiniband as they are, and names the types that there are none of", () => {
  const { name } = addRdmaLink(links);
  const found = calls.rdmaNodes({ netns: "host", name, types: ["uverbs", "rdma_cm", "umad", "issm"] });
  expect(found.missing).toEqual(["issm"]);
  expect(found.kind).toBe("rxe");
  for (const { path, major, minor, mode, uid, gid, permissions } of found.nodes) {
    const stat = Bun.spawnSync(["stat", "-c", "%Hr:%Lr %a %u:%g", path]).stdout.toString().trim();
    expect(`${major}:${minor} ${mode?.toString(8)} ${uid}:${gid}`).toBe(stat);
    expect(permissions).toBe("rw");
  }
  expect(found.nodes.map(({ path }) => path.replace(/\d+$/, ""))).toEqual(
    ["uverbs", "rdma_cm", "umad"].map((type) => `/dev/infiniband/${type}`),
  );
});

test("the calls say of a device that is not there that it is not", () => {
  expect(() => calls.canMoveRdma({ name: "mlx5_9" })).toThrow("ENODEV");
  expect(() => calls.rdmaNodes({ netns: "host", name: "mlx5_9", types: ["uverbs"] })).toThrow("RDMA device mlx5_9");
  expect(() => calls.deleteRdmaLink({ netns: "host", name: "mlx5_9" })).not.toThrow();
});

test("addRdmaLink() makes a device on a link of another namespace, and deleteRdmaLink() takes it away", () => {
  const { ifname, name } = addRdmaLink(links);
  using pod = new HeldTestNetns(calls);
  calls.deleteRdmaLink({ netns: "host", name });
  expect(calls.readRdma({ netns: "host" }).devices).toEqual([]);
  const { ifindex } = calls.listLinks({ netns: "host" }).find((link) => link.ifname === ifname) ?? { ifindex: 0 };
  calls.moveLink({ from: "host", ifindex, to: pod.ref, temporaryName: "nf-tmp0" });
  calls.addRdmaLink({ netns: pod.ref, name, kind: "rxe", ifname: "nf-tmp0" });
  // In either mode it is made in the first namespace, which does not see its netdev.
  expect(calls.readRdma({ netns: "host" }).devices.map((device) => device.name)).toEqual([name]);
  calls.deleteRdmaLink({ netns: "host", name });
  expect(calls.readRdma({ netns: "host" }).devices).toEqual([]);
});
