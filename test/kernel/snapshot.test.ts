/** Snapshots: whole, writable back, and without what the kernel makes again by itself. */

import { expect, test } from "bun:test";
import { restoreSteps } from "../../src/attach/restore.ts";
import { kernelCalls } from "../../src/kernel/serve.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { eventually } from "../lab/netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

/** A host as an operator leaves it: both families, tables, metrics, neighbours, names, sysctls. */
function furnish(netns: HeldTestNetns): number {
  netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  netns.ip("link", "set", "v0", "mtu", "1420", "txqueuelen", "77", "alias", "rail 0", "address", "02:00:00:00:00:55");
  netns.ip("link", "property", "add", "dev", "v0", "altname", "rail0");
  for (const link of ["v0", "v1"]) netns.ip("link", "set", link, "up");
  netns.ip("addr", "add", "10.0.0.1/24", "dev", "v0");
  netns.ip("addr", "add", "10.0.1.1/24", "dev", "v0", "valid_lft", "5000", "preferred_lft", "4000");
  netns.ip("addr", "add", "fd00::1/64", "dev", "v0", "nodad");
  netns.ip("addr", "add", "10.1.0.1/24", "dev", "v1");
  netns.ip("route", "add", "blackhole", "10.9.0.0/16", "table", "100");
  netns.ip("route", "add", "10.8.0.0/16", "via", "10.0.0.2", "metric", "7", "mtu", "1400", "src", "10.0.0.1");
  netns.ip(..."route add 10.7.0.0/16 table 100 nexthop via 10.0.0.2 dev v0 nexthop via 10.1.0.2 dev v1".split(" "));
  netns.ip("-6", "route", "add", "fd10::/64", "via", "fd00::2", "table", "200");
  netns.ip("route", "add", "10.6.0.0/16", "via", "10.1.0.2");
  netns.ip("neigh", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", "v0", "nud", "permanent");
  netns.exec(
    "sh",
    "-c",
    "echo 2 > /proc/sys/net/ipv4/conf/v0/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/v0/forwarding",
  );
  netns.exec(
    "sh",
    "-c",
    "echo 3 > /proc/sys/net/ipv6/conf/v0/hop_limit; echo 0 > /proc/sys/net/ipv6/conf/v0/accept_ra",
  );
  netns.exec("sh", "-c", "echo 4400 > /proc/sys/net/ipv4/neigh/v0/base_reachable_time_ms");
  return netns.ifindexOf("v0");
}

/** All that iproute2 and sysctl say of the namespace, with time taken out. */
function picture(netns: HeldTestNetns): unknown {
  const still = (key: string, value: unknown) =>
    (key.endsWith("_life_time") && Number(value) < 10_000) || key === "expires" ? "running" : value;
  const settled = (rows: unknown) => JSON.parse(JSON.stringify(rows, still));
  const directories = ["ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"].map((d) => `/proc/sys/net/${d}/v0`);
  return {
    links: settled(netns.json("link", "show")),
    addresses: settled(netns.json("addr", "show")),
    routes: ["-4", "-6"].map((family) => netns.ip(family, "-d", "route", "show", "table", "all").split("\n").sort()),
    neighbors: netns.ip("neigh", "show", "nud", "permanent"),
    sysctls: netns
      .exec("sh", "-c", `grep -sr . ${directories.join(" ")} || true`)
      .split("\n")
      .sort(),
  };
}

test("a link that went away and came back is, by its snapshot, what it was", async () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  const ifindex = furnish(home);
  // Or the picture would show addresses in a state that they leave by themselves.
  await eventually("no tentative address", () => !home.ip("addr", "show").includes("tentative"));
  const before = picture(home);
  const snapshot = calls.snapshotLink({ netns: home.ref, ifindex });

  const away = calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: "nf-tmp0" });
  expect(picture(home)).not.toEqual(before);
  const back = calls.moveLink({ from: pod.ref, ifindex: away.ifindex, to: home.ref, temporaryName: "nf-tmp0" });
  const now = calls.snapshotLink({ netns: home.ref, ifindex: back.ifindex });
  const { failed } = calls.applySteps({
    netns: home.ref,
    ifindex: back.ifindex,
    wasIfindex: ifindex,
    steps: restoreSteps(snapshot, now, snapshot.takenAtMs),
    onFailure: "continue",
  });
  expect(failed).toEqual([]);
  // The carrier takes the kernel a moment.
  await eventually("the same picture as before", () => {
    expect(picture(home)).toEqual(before);
    return true;
  });
});

test("a route that prefers an IPv6 address comes home at once, though the kernel looks for others who have the address", async () => {
  using calls = kernelCalls();
  using home = new HeldTestNetns(calls);
  using pod = new HeldTestNetns(calls);
  const ifindex = furnish(home);
  home.ip("addr", "add", "fd01::1/64", "dev", "v0");
  await eventually("no tentative address", () => !home.ip("addr", "show").includes("tentative"));
  home.ip("-6", "route", "add", "fd11::/64", "via", "fd01::2", "dev", "v0", "src", "fd01::1");
  const before = picture(home);
  const snapshot = calls.snapshotLink({ netns: home.ref, ifindex });

  const away = calls.moveLink({ from: home.ref, ifindex, to: pod.ref, temporaryName: "nf-tmp0" });
  const back = calls.moveLink({ from: pod.ref, ifindex: away.ifindex, to: home.ref, temporaryName: "nf-tmp0" });
  const now = calls.snapshotLink({ netns: home.ref, ifindex: back.ifindex });
  const steps = restoreSteps(snapshot, now, snapshot.takenAtMs);
  const where = { netns: home.ref, ifindex: back.ifindex, wasIfindex: ifindex };
  const { failed } = calls.applySteps({ ...where, steps, onFailure: "continue" });
  expect(failed).toEqual([]);
  await eventually("no tentative address", () => !home.ip("addr", "show").includes("tentative"));
  expect(picture(home)).toEqual(before);
});

test("snapshotLink() holds what iproute2 shows, and nothing that the kernel makes again", () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  const ifindex = furnish(netns);
  const snapshot = calls.snapshotLink({ netns: netns.ref, ifindex });
  expect(snapshot.routes.map(({ destination, table }) => `${destination} ${table}`).sort()).toEqual([
    "10.7.0.0/16 100",
    "10.8.0.0/16 254",
    "fd10::/64 200",
  ]);
  expect(snapshot.neighbors.map(({ destination }) => destination)).toEqual(["10.0.0.9"]);
  expect(snapshot.addresses.map(({ local }) => local)).toEqual(
    netns.json("addr", "show", "dev", "v0")[0].addr_info.map(({ local }: { local: string }) => local),
  );
  const value = (path: string) =>
    snapshot.sysctls.find(({ family, table, key }) => `${family}/${table}/${key}` === path)?.value;
  expect(value("ipv4/conf/rp_filter")).toBe("2");
  expect(value("ipv6/conf/hop_limit")).toBe("3");
  expect(value("ipv6/conf/mtu")).toBeUndefined(); // it follows the link's, until someone lowers it
  expect(value("ipv4/neigh/base_reachable_time_ms")).toBe("4400");
});

test("every sysctl of a snapshot can be written back, and is then what it was", () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  const ifindex = furnish(netns);
  const { sysctls } = calls.snapshotLink({ netns: netns.ref, ifindex });
  expect(sysctls.length).toBeGreaterThan(100);
  // By the shell, and not by the step, which does not write a value that stands already.
  const script = sysctls.map(
    ({ family, table, key, value }) =>
      `echo '${value}' > /proc/sys/net/${family}/${table}/v0/${key} || echo ${key} >&2`,
  );
  expect(() => netns.exec("sh", "-ec", script.join("\n"))).not.toThrow();
  expect(calls.snapshotLink({ netns: netns.ref, ifindex }).sysctls).toEqual(sysctls);
});

test("snapshotLink() names the lower device and the master, and throws ENODEV for a link that is gone", () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  using other = new HeldTestNetns(calls);
  furnish(netns);
  netns.ip("link", "add", "b0", "type", "bridge");
  netns.ip("link", "add", "link", "v0", "name", "m0", "type", "macvlan");
  netns.ip("link", "set", "v1", "master", "b0");
  const of = (ifname: string) => calls.snapshotLink({ netns: netns.ref, ifindex: netns.ifindexOf(ifname) });
  expect([of("m0").lowerName, of("m0").masterName]).toEqual(["v0", undefined]);
  expect([of("v1").lowerName, of("v1").masterName]).toEqual(["v0", "b0"]);
  netns.ip("link", "set", "v0", "netns", other.name);
  expect(of("v1").lowerName).toBeUndefined();
  expect(() => calls.snapshotLink({ netns: netns.ref, ifindex: 4711 })).toThrow("ENODEV");
});
