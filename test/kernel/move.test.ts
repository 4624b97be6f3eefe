/** Moves between namespaces, seen with iproute2, and what the kernel does not do in one piece. */

import { expect, test } from "bun:test";
import { kernelCalls } from "../../src/kernel/serve.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { ip, ipJson, uniqueName } from "../lab/netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

const TEMPORARY = "nf-tmp0";

function names(netns: HeldTestNetns): string[] {
  return netns
    .json("link", "show")
    .map(({ ifname }) => ifname)
    .filter((ifname) => ifname !== "lo");
}

function withVeth(netns: HeldTestNetns): number {
  netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  netns.ip("link", "set", "v0", "up", "alias", "mine");
  netns.ip("link", "property", "add", "dev", "v0", "altname", "v0-other");
  return netns.ifindexOf("v0");
}

test("moveLink() carries a link there and back, up or down, under the temporary name", () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  const ifindex = withVeth(home);
  for (const state of ["up", "down"]) {
    home.ip("link", "set", "v0", state);
    const there = calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: TEMPORARY });
    expect(names(home)).toEqual(["v1"]);
    expect(pod.json("link", "show", "dev", TEMPORARY)).toEqual([
      expect.objectContaining({ ifindex: there.ifindex, ifname: TEMPORARY, ifalias: "mine", altnames: ["v0-other"] }),
    ]);
    const back = calls.moveLink({ from: pod.ref, ifindex: there.ifindex, to: home.ref, temporaryName: TEMPORARY });
    expect(names(pod)).toEqual([]);
    expect(home.ifindexOf(TEMPORARY)).toBe(back.ifindex);
    home.ip("link", "set", TEMPORARY, "name", "v0");
  }
});

test("moveLink() carries a link between the host's namespace and another", () => {
  using calls = kernelCalls();
  using pod = new HeldTestNetns(calls);
  const [ifname, peer, temporary] = [uniqueName("nfa"), uniqueName("nfb"), uniqueName("nft")];
  ip("link", "add", ifname, "type", "veth", "peer", "name", peer);
  using _cleanUp = { [Symbol.dispose]: () => void ip("link", "del", peer) };
  const [{ ifindex }] = ipJson("link", "show", "dev", ifname) as [{ ifindex: number }];
  const there = calls.moveLink({ from: "host", ifindex, to: pod.ref, temporaryName: temporary });
  expect(names(pod)).toEqual([temporary]);
  const back = calls.moveLink({ from: pod.ref, ifindex: there.ifindex, to: "host", temporaryName: temporary });
  expect(ipJson("link", "show", "dev", temporary)[0].ifindex).toBe(back.ifindex);
});

test("moveLink() answers the index that the link got where its own was taken", () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  const ifindex = withVeth(home);
  pod.ip("link", "add", "w0", "index", String(ifindex), "type", "veth", "peer", "name", "w1");
  const moved = calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: TEMPORARY });
  expect(moved.ifindex).not.toBe(ifindex);
  expect(pod.ifindexOf(TEMPORARY)).toBe(moved.ifindex);
});

test("moveLink() moves a link whose own name is taken in the target", () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  const ifindex = withVeth(home);
  pod.ip("link", "add", "v0", "type", "veth", "peer", "name", "w1");
  calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: TEMPORARY });
  expect(names(pod).sort()).toEqual([TEMPORARY, "v0", "w1"]);
});

test("moveLink() again, of a link that has moved, answers where it is", () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  const ifindex = withVeth(home);
  const request = { from: home.ref, ifindex, to: pod.ref, temporaryName: TEMPORARY };
  const first = calls.moveLink(request);
  expect(calls.moveLink(request)).toEqual(first);
});

test("moveLink() leaves the link where it was when the kernel moves it and then stumbles over the name", () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  withVeth(home);
  pod.ip("link", "add", TEMPORARY, "type", "veth", "peer", "name", "w1");
  // The premise: iproute2's request of the same kind reports an error, and the link has moved.
  expect(() => home.ip("link", "set", "v0", "netns", pod.name, "name", TEMPORARY)).toThrow("File exists");
  expect(names(pod)).toContain("v0");
  pod.ip("link", "set", "v0", "netns", home.name);

  const ifindex = home.ifindexOf("v0");
  expect(() => calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: TEMPORARY })).toThrow("EEXIST");
  expect(names(home).sort()).toEqual(["v0", "v1"]);
  expect(names(pod).sort()).toEqual([TEMPORARY, "w1"]);
});

test("moveLink() leaves the link where it was, as it was, when its altname is taken in the target", () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  const ifindex = withVeth(home);
  pod.ip("link", "add", "v0-other", "type", "veth", "peer", "name", "w1");
  expect(() => calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: TEMPORARY })).toThrow("EEXIST");
  expect(home.json("link", "show", "dev", "v0")[0].flags).toContain("UP");
  expect(names(pod).sort()).toEqual(["v0-other", "w1"]);
});

test("moveLink() names what the kernel will not move, and what is not there", () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  home.ip("link", "add", "b0", "type", "bridge");
  const move = (ifindex: number) => calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: TEMPORARY });
  expect(() => move(home.ifindexOf("b0"))).toThrow("EINVAL");
  expect(() => move(4711)).toThrow("ENODEV");
  expect(names(home)).toEqual(["b0"]);
});

test("holdNetns() keeps the namespace, and not the mount at its path", () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  expect(netns.exec("stat", "-L", "-c", "%i", "/proc/self/ns/net").trim()).toBe(String(netns.inode));
  netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  netns.exec("true");
  const path = netns.path;
  // A plain unmount is refused while a descriptor that was opened by the path exists.
  Bun.spawnSync(["umount", path], { stderr: "inherit" });
  expect(calls.listLinks({ netns: netns.ref }).map(({ ifname }) => ifname)).toEqual(["lo", "v1", "v0"]);
  expect(() => calls.holdNetns({ path })).toThrow("EINVAL");
});
