/** eBPF programs at links: what is listed, and taken off, against tc, bpftool and `ip -d`. */

import { expect, test } from "bun:test";
import { queryPrograms } from "../../ffi/bpf.ts";
import { loadProgram } from "../../ffi/bpf-testing.ts";
import { inNetns } from "../../ffi/netns.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { lostSentences } from "../../src/attach/lost.ts";
import { scanPrograms } from "../../src/kernel/link-programs.ts";
import { kernelCalls } from "../../src/kernel/serve.ts";
import type { LinkStep } from "../../src/kernel/steps.ts";
import { listLinks } from "../../src/netlink/links.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { addTcProgram, addTcx, addXdp, linkTcx, linkXdp } from "../lab/programs.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

type Calls = ReturnType<typeof kernelCalls>;

function withVeth(calls: Calls): HeldTestNetns & { readonly v0: number; readonly v1: number } {
  const netns = new HeldTestNetns(calls);
  netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  return Object.assign(netns, { v0: netns.ifindexOf("v0"), v1: netns.ifindexOf("v1") });
}

/** Names of the programs that bpftool sees at a link. */
function seen(netns: HeldTestNetns, ifname: string): string[] {
  const [net] = JSON.parse(netns.exec("bpftool", "-j", "net", "show", "dev", ifname));
  // Debian 12's bpftool is older than TCX: it shows the rest.
  return [...net.xdp.map(() => "xdp"), ...net.tc.map(({ name }: { name: string }) => name)];
}

function programsAt(calls: Calls, netns: HeldTestNetns, ifindex: number) {
  const { programs, link } = calls.snapshotLink({ netns: netns.ref, ifindex });
  if (programs === undefined) throw new Error("a snapshot without programs");
  return { ...programs, xdp: link.xdpPrograms ?? {} };
}

test("queryPrograms() says by errno what is wrong", () => {
  const errnoOf = (ifindex: number, type: number) => {
    try {
      queryPrograms(ifindex, type);
    } catch (error) {
      if (error instanceof SysError) return error.errnoName;
      throw error;
    }
    return undefined;
  };
  expect([errnoOf(1, 46), errnoOf(0x7fff_fff0, 46), errnoOf(1, 9999)]).toEqual([undefined, "ENODEV", "EINVAL"]);
});

test("queryPrograms() lists as many programs as a link can have", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  for (let at = 0; at < 63; at++) addTcx(netns.ref.fd, netns.v0, "ingress", `p${at}`);
  expect(() => addTcx(netns.ref.fd, netns.v0, "ingress", "one_too_many")).toThrow("ERANGE");
  expect(programsAt(calls, netns, netns.v0).tcx.map(({ name }) => name)).toEqual(
    Array.from({ length: 63 }, (_, at) => `p${at}`),
  );
});

test("a snapshot holds the TCX, tc and XDP programs and the queueing disciplines of its link alone", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  addTcx(netns.ref.fd, netns.v0, "egress", "out_1");
  using _held = linkTcx(netns.ref.fd, netns.v0, "ingress", "in_held");
  netns.exec("tc", "qdisc", "add", "dev", "v0", "clsact");
  netns.exec(
    "tc",
    "qdisc",
    "add",
    "dev",
    "v0",
    "root",
    "handle",
    "7:",
    "tbf",
    ..."rate 1gbit burst 1mb latency 1ms".split(" "),
  );
  addTcProgram(netns.ref.fd, netns.v0, "ingress", "filter.o:[tc]");
  addTcProgram(netns.ref.fd, netns.v0, "egress", "second.o:[tc]");
  addXdp(netns.ref.fd, netns.v0, "xdp_pass", 2);

  const found = programsAt(calls, netns, netns.v0);
  expect(found.tcx.map(({ direction, name, linkId }) => [direction, name, linkId > 0])).toEqual([
    ["ingress", "in_held", true],
    ["egress", "out_1", false],
  ]);
  expect(found.qdiscs.map(({ kind, handle }) => [kind, handle])).toEqual([
    ["clsact", 0xffff0000],
    ["tbf", 0x70000],
  ]);
  expect(found.filters.map(({ kind, name }) => [kind, name])).toEqual([
    ["bpf", "filter.o:[tc]"],
    ["bpf", "second.o:[tc]"],
  ]);
  const filters = ["ingress", "egress"].flatMap((direction) =>
    JSON.parse(netns.exec("tc", "-j", "filter", "show", "dev", "v0", direction)),
  );
  const ids = filters.flatMap(({ options }) => options?.prog?.id ?? []);
  expect(found.filters.map(({ programId }) => programId)).toEqual(ids);
  expect(found.xdp).toEqual({ skb: netns.json("link", "show", "dev", "v0")[0].xdp.prog.id });
  expect(programsAt(calls, netns, netns.v1)).toEqual({ tcx: [], qdiscs: [], filters: [], xdp: {} });
});

test("clearLink() takes off the pod's programs, whoever holds them, and leaves those that the link had before", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  const { fd } = netns.ref;
  addTcx(fd, netns.v0, "ingress", "host_in");
  using _hostLink = linkTcx(fd, netns.v0, "egress", "host_out");
  const programs = programsAt(calls, netns, netns.v0).tcx.map(({ programId }) => programId);

  addTcx(fd, netns.v0, "ingress", "pod_in");
  using _podLink = linkTcx(fd, netns.v0, "egress", "pod_out");
  using xdp = loadProgram("xdp", "pod_xdp");
  using _podXdp = linkXdp(fd, netns.v0, xdp);
  netns.exec("tc", "qdisc", "add", "dev", "v0", "clsact");
  addTcProgram(fd, netns.v0, "ingress", "pod_tc");
  expect(seen(netns, "v0")).toEqual(expect.arrayContaining(["xdp", expect.stringContaining("pod_tc")]));

  const { removed, problems } = calls.clearLink({ netns: netns.ref, ifindex: netns.v0, programs, spare: [] });
  expect(problems).toEqual([]);
  expect(removed.length).toBe(4);
  const left = programsAt(calls, netns, netns.v0);
  expect(left.tcx.map(({ name }) => name)).toEqual(["host_in", "host_out"]);
  expect([left.filters, left.xdp]).toEqual([[], {}]);
  expect(seen(netns, "v0")).not.toEqual(expect.arrayContaining(["xdp"]));
  expect(calls.clearLink({ netns: netns.ref, ifindex: netns.v0, programs, spare: [] })).toEqual({
    removed: [],
    problems: [],
  });
});

test("clearLink() detaches XDP of both modes that netlink attached", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  for (const flags of [2, 4]) {
    addXdp(netns.ref.fd, netns.v0, "pod_xdp", flags);
    expect(Object.keys(programsAt(calls, netns, netns.v0).xdp)).toEqual([flags === 2 ? "skb" : "driver"]);
    expect(calls.clearLink({ netns: netns.ref, ifindex: netns.v0, programs: [], spare: [] }).problems).toEqual([]);
    expect(netns.json("link", "show", "dev", "v0")[0].xdp).toBeUndefined();
  }
});

test("clearLink() touches neither of two XDP links that it cannot tell apart", () => {
  using calls = kernelCalls();
  using one = withVeth(calls);
  using other = new HeldTestNetns(calls);
  other.ip("link", "add", "v0", "index", String(one.v0), "type", "veth", "peer", "name", "v1");
  using program = loadProgram("xdp", "shared");
  using _a = linkXdp(one.ref.fd, one.v0, program);
  using _b = linkXdp(other.ref.fd, one.v0, program);
  const { problems } = calls.clearLink({ netns: one.ref, ifindex: one.v0, programs: [], spare: [] });
  expect(problems).toEqual([expect.stringContaining("2 bpf_links hold program")]);
  for (const netns of [one, other]) expect(programsAt(calls, netns, one.v0).xdp).toEqual({ skb: expect.any(Number) });
});

test("clearLink() deletes what stands on the link and its membership, not its peer nor what is spared", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  netns.ip("link", "add", "link", "v0", "name", "m0", "type", "macvlan");
  netns.ip("link", "add", "link", "v0", "name", "m1", "type", "macvlan");
  netns.ip("link", "add", "link", "v1", "name", "m2", "type", "macvlan");
  const names = () => netns.json("link", "show").map(({ ifname }) => ifname);
  const spare = [netns.ifindexOf("m1")];
  const cleared = calls.clearLink({ netns: netns.ref, ifindex: netns.v0, programs: [], spare });
  expect(cleared).toEqual({ removed: ["macvlan m0"], problems: [] });
  expect(names()).toEqual(["lo", "v1", "v0", "m1", "m2"]);

  netns.ip("link", "del", "m2");
  netns.ip("link", "add", "b0", "type", "bridge");
  netns.ip("link", "set", "v1", "master", "b0");
  const released = calls.clearLink({ netns: netns.ref, ifindex: netns.v1, programs: [], spare: [] });
  expect(released).toEqual({ removed: ["master b0"], problems: [] });
  expect(netns.json("link", "show", "dev", "v1")[0].master).toBeUndefined();
  expect(calls.clearLink({ netns: netns.ref, ifindex: 4711, programs: [], spare: [] })).toEqual({
    removed: [],
    problems: [],
  });
});

test("the step detachPrograms takes off everything, and again nothing", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  const { fd } = netns.ref;
  addTcx(fd, netns.v0, "ingress", "one");
  using _link = linkTcx(fd, netns.v0, "egress", "two");
  addXdp(fd, netns.v0, "three", 4);
  netns.exec("tc", "qdisc", "add", "dev", "v0", "clsact");
  addTcProgram(fd, netns.v0, "egress", "four");
  const step: LinkStep = { op: "detachPrograms" };
  for (let round = 0; round < 2; round++) {
    calls.applySteps({ netns: netns.ref, ifindex: netns.v0, steps: [step], onFailure: "stop" });
    const { tcx, filters, xdp } = programsAt(calls, netns, netns.v0);
    expect([tcx, filters, xdp]).toEqual([[], [], {}]);
  }
  expect(seen(netns, "v0")).toEqual([]);
});

test("scan() names the tc and TCX programs of each link", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  addTcx(netns.ref.fd, netns.v0, "ingress", "tcx_in");
  netns.exec("tc", "qdisc", "add", "dev", "v0", "clsact");
  addTcProgram(netns.ref.fd, netns.v0, "ingress", "a.o:[in]");
  addTcProgram(netns.ref.fd, netns.v0, "egress", "a.o:[out]");
  netns.exec("tc", "qdisc", "add", "dev", "v1", "ingress");
  const bytecode = "1,6 0 0 4294967295";
  netns.exec("tc", "filter", "add", "dev", "v1", "ingress", "bpf", "bytecode", bytecode);
  netns.exec("tc", "filter", "add", "dev", "v1", "ingress", "protocol", "ip", "u32", "match", "u32", "0", "0");
  const facts = inNetns(netns.ref.fd, () => {
    using socket = new NetlinkSocket();
    return scanPrograms(socket, listLinks(socket));
  });
  expect(facts).toEqual({
    programs: {
      v0: { tcFilterNames: ["a.o:[in]", "a.o:[out]"], tcxProgramNames: ["tcx_in"] },
      v1: { tcFilterNames: [""], tcxProgramNames: [] },
    },
    unseen: [],
  });
});

test("a move keeps TCX and XDP and costs the rest, which lostSentences() tells", () => {
  using calls = kernelCalls();
  using home = withVeth(calls);
  using pod = new HeldTestNetns(calls);
  addTcx(home.ref.fd, home.v0, "ingress", "kept");
  addTcx(home.ref.fd, home.v0, "egress", "taken");
  addXdp(home.ref.fd, home.v0, "kept_too", 2);
  home.exec("tc", "qdisc", "add", "dev", "v0", "clsact");
  addTcProgram(home.ref.fd, home.v0, "ingress", "left.o");
  const before = calls.snapshotLink({ netns: home.ref, ifindex: home.v0 });
  const away = calls.moveLink({ from: home.ref, ifindex: home.v0, to: pod.ref, temporaryName: "nf-tmp9" });
  const kept = (before.programs?.tcx ?? []).filter(({ name }) => name === "kept").map(({ programId }) => programId);
  const programs = [...kept, ...Object.values(before.link.xdpPrograms ?? {})];
  expect(calls.clearLink({ netns: pod.ref, ifindex: away.ifindex, programs, spare: [] }).removed).toEqual([
    "TCX egress program taken",
  ]);
  const back = calls.moveLink({ from: pod.ref, ifindex: away.ifindex, to: home.ref, temporaryName: "nf-tmp9" });
  const after = calls.snapshotLink({ netns: home.ref, ifindex: back.ifindex });
  expect(lostSentences(before, after)).toEqual([
    "its queueing discipline clsact is gone, as a link loses it when it moves",
    "its tc filters bpf left.o are gone, as a link loses them when it moves",
    "its TCX egress program taken was detached",
  ]);
});
