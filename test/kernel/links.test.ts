/** Links against iproute2: what it made we read, what we make it reads. */

import { expect, test } from "bun:test";
import type { KernelCalls } from "../../src/kernel/calls.ts";
import { kernelCalls } from "../../src/kernel/serve.ts";
import type { LinkStep } from "../../src/kernel/steps.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

function withVeth(calls: KernelCalls): HeldTestNetns {
  const netns = new HeldTestNetns(calls);
  netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  return netns;
}

function apply(calls: KernelCalls, netns: HeldTestNetns, ifindex: number, ...steps: LinkStep[]): void {
  calls.applySteps({ netns: netns.ref, ifindex, steps, onFailure: "stop" });
}

test("listLinks() agrees with iproute2 on every link and field", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  netns.ip("link", "set", "v0", "address", "02:00:00:00:00:77", "mtu", "1400", "txqueuelen", "77", "group", "7");
  netns.ip("link", "set", "v0", "alias", "a link's alias: ü");
  netns.ip("link", "property", "add", "dev", "v0", "altname", "other-name", "altname", "a-very-long-alternative-name");
  netns.ip("link", "set", "v0", "up");
  netns.ip("link", "add", "b0", "type", "bridge");
  netns.ip("link", "set", "v1", "master", "b0");
  netns.ip("link", "add", "link", "v0", "name", "m0", "type", "macvlan", "mode", "bridge");
  netns.ip("link", "add", "x0", "type", "vxlan", "id", "5", "dstport", "4789", "remote", "10.0.0.9");

  const ours = calls.listLinks({ netns: netns.ref });
  const theirs = netns.json("link", "show");
  expect(ours.map(({ ifindex }) => ifindex)).toEqual(theirs.map(({ ifindex }) => ifindex));
  for (const [at, link] of ours.entries()) {
    const row = theirs[at];
    const byName = (name: string) => theirs.find(({ ifname }) => ifname === name)?.ifindex;
    expect({
      ifname: link.ifname,
      address: link.address,
      mtu: link.mtu,
      txqlen: link.txQueueLen,
      kind: link.kind,
      altnames: link.altnames,
      alias: link.alias,
      up: (link.flags & 1) !== 0,
      master: link.master,
      lower: link.lower,
      gso: link.gsoMaxSize,
      group: link.group,
    }).toEqual({
      ifname: row.ifname,
      address: row.address,
      mtu: row.mtu,
      txqlen: row.txqlen ?? 0,
      kind: row.linkinfo?.info_kind,
      altnames: row.altnames ?? [],
      alias: row.ifalias,
      up: row.flags.includes("UP"),
      master: row.master === undefined ? undefined : byName(row.master),
      lower: row.link === undefined || row.link === null ? undefined : byName(row.link),
      gso: row.gso_max_size,
      group: row.group === "default" ? 0 : Number(row.group),
    });
  }
});

test("listLinks() says of each link whether the kernel moves it, as the kernel does", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  using other = new HeldTestNetns(calls);
  netns.ip("link", "add", "b0", "type", "bridge");
  const links = calls.listLinks({ netns: netns.ref });
  const told = Object.fromEntries(links.map(({ ifname, netnsImmutable }) => [ifname, netnsImmutable]));
  expect(told).toEqual({ lo: true, v0: false, v1: false, b0: true });
  for (const ifname of ["lo", "b0"])
    expect(() => netns.ip("link", "set", ifname, "netns", other.name)).toThrow("netns is immutable");
  netns.ip("link", "set", "v0", "netns", other.name);
});

test("the steps of a link do what iproute2 shows, and again change nothing", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  netns.ip("link", "add", "b0", "type", "bridge");
  netns.ip("link", "property", "add", "dev", "v0", "altname", "old-name");
  const ifindex = netns.ifindexOf("v0");
  const steps: LinkStep[] = [
    { op: "rename", ifname: "net1" },
    { op: "setAddress", address: "02:00:00:00:00:33" },
    { op: "setMtu", mtu: 9000 },
    { op: "setTxQueueLen", txQueueLen: 55 },
    { op: "setGroup", group: 9 },
    { op: "setAlias", alias: "it's mine" },
    { op: "removeAltname", altname: "old-name" },
    { op: "addAltname", altname: "new-name" },
    {
      op: "setOffloadSizes",
      gsoMaxSize: 40_000,
      gsoMaxSegs: 50,
      groMaxSize: 30_000,
      gsoIpv4MaxSize: 20_000,
      groIpv4MaxSize: 10_000,
    },
    { op: "setMaster", master: netns.ifindexOf("b0") },
    { op: "setSysctl", sysctl: { family: "ipv4", table: "conf", key: "rp_filter", value: "2" } },
    { op: "setSysctl", sysctl: { family: "ipv6", table: "neigh", key: "gc_stale_time", value: "77" } },
    { op: "up" },
  ];
  for (const _round of [1, 2]) {
    apply(calls, netns, ifindex, ...steps);
    expect(netns.json("link", "show", "dev", "net1")).toEqual([
      expect.objectContaining({
        ifindex,
        ifname: "net1",
        address: "02:00:00:00:00:33",
        mtu: 9000,
        txqlen: 55,
        group: "9",
        ifalias: "it's mine",
        altnames: ["new-name"],
        gso_max_size: 40_000,
        gso_max_segs: 50,
        gro_max_size: 30_000,
        master: "b0",
        flags: expect.arrayContaining(["UP"]),
      }),
    ]);
    expect(netns.sysctl("net/ipv4/conf/net1/rp_filter")).toBe("2");
    expect(netns.sysctl("net/ipv6/neigh/net1/gc_stale_time")).toBe("77");
    // iproute2 of Debian 12 does not show these two.
    const link = calls.listLinks({ netns: netns.ref }).find((candidate) => candidate.ifindex === ifindex);
    expect([link?.gsoIpv4MaxSize, link?.groIpv4MaxSize]).toEqual([20_000, 10_000]);
  }
  apply(calls, netns, ifindex, { op: "setAlias", alias: "" }, { op: "setMaster", master: 0 }, { op: "down" });
  const [row] = netns.json("link", "show", "dev", "net1");
  expect([row.ifalias, row.master, row.flags.includes("UP")]).toEqual([undefined, undefined, false]);
});

test("rename takes a name that the link has as an altname", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  netns.ip("link", "property", "add", "dev", "v0", "altname", "home0");
  apply(calls, netns, netns.ifindexOf("v0"), { op: "rename", ifname: "home0" });
  const [row] = netns.json("link", "show", "dev", "home0");
  expect([row.ifname, row.altnames]).toEqual(["home0", undefined]);
});

test("applySteps() keeps errno and the kernel's words, and stops or goes on as asked", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  const ifindex = netns.ifindexOf("v0");
  const steps: LinkStep[] = [
    { op: "setMtu", mtu: 5 },
    { op: "setTxQueueLen", txQueueLen: 66 },
  ];
  const { failed } = calls.applySteps({ netns: netns.ref, ifindex, steps, onFailure: "continue" });
  expect(failed).toEqual([
    { step: { op: "setMtu", mtu: 5 }, errno: 22, problem: expect.stringContaining("mtu less than device minimum") },
  ]);
  expect(netns.json("link", "show", "dev", "v0")[0].txqlen).toBe(66);

  const stopping: LinkStep[] = [
    { op: "setMtu", mtu: 5 },
    { op: "setTxQueueLen", txQueueLen: 77 },
  ];
  expect(() => apply(calls, netns, ifindex, ...stopping)).toThrow("EINVAL (mtu less than device minimum)");
  expect(netns.json("link", "show", "dev", "v0")[0].txqlen).toBe(66);
  expect(() => apply(calls, netns, 4711, { op: "up" })).toThrow("ENODEV");
});

test("createLink() makes a veth pair, and a macvlan and a vxlan as their snapshots say", () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  const pair = calls.createLink({ netns: netns.ref, link: { ifname: "p0", kind: "veth", peerName: "p1", mtu: 1300 } });
  expect(netns.json("link", "show", "dev", "p0")[0]).toMatchObject({ ifindex: pair.ifindex, link: "p1", mtu: 1300 });

  netns.ip("link", "add", "link", "p0", "name", "m0", "type", "macvlan", "mode", "private", "bcqueuelen", "500");
  netns.ip(
    "link",
    "add",
    "x0",
    "type",
    "vxlan",
    "id",
    "5",
    "dstport",
    "4789",
    "local",
    "10.0.0.1",
    "ttl",
    "3",
    "nolearning",
  );
  for (const ifname of ["m0", "x0"]) {
    const before = netns.json("link", "show", "dev", ifname)[0];
    const { link, lowerName } = calls.snapshotLink({ netns: netns.ref, ifindex: before.ifindex });
    expect(lowerName).toBe(ifname === "m0" ? "p0" : undefined);
    calls.deleteLink({ netns: netns.ref, ifindex: link.ifindex });
    calls.deleteLink({ netns: netns.ref, ifindex: link.ifindex });
    expect(netns.json("link", "show").map((row) => row.ifname)).not.toContain(ifname);
    calls.createLink({
      netns: netns.ref,
      link: {
        ifname,
        kind: link.kind ?? "",
        mtu: link.mtu,
        ...(link.kindData === undefined ? {} : { kindData: link.kindData }),
        ...(link.lower === undefined ? {} : { lower: link.lower }),
        ...(link.address === undefined ? {} : { address: link.address }),
      },
    });
    const after = netns.json("link", "show", "dev", ifname)[0];
    expect({ ...after, ifindex: 0 }).toEqual({ ...before, ifindex: 0 });
  }
  expect(() => calls.createLink({ netns: netns.ref, link: { ifname: "m0", kind: "veth" } })).toThrow("EEXIST");
  expect(() => calls.createLink({ netns: netns.ref, link: { ifname: "q0", kind: "nosuchkind" } })).toThrow(
    "Unknown device type",
  );
});
