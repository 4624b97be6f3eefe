/**
 * Runs in an emulated machine. Settings of a real driver, children of kinds that few machines' kernels have, VRFs, and a
 * port that the kernel itself brings home from a dead namespace with the pod's program on it.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import { loadProgram } from "../../../ffi/bpf-testing.ts";
import { restoreEthtool } from "../../../src/attach/ethtool.ts";
import { restoreSteps } from "../../../src/attach/restore.ts";
import { kernelCalls } from "../../../src/kernel/serve.ts";
import type { LinkStep } from "../../../src/kernel/steps.ts";
import { HeldTestNetns } from "../../lab/held-netns.ts";
import { igbPorts, nameLink } from "../../lab/igb.ts";
import { eventually, ip, ipJson, run } from "../../lab/netns.ts";
import { addXdp, linkXdp } from "../../lab/programs.ts";

type Calls = ReturnType<typeof kernelCalls>;

const PORT = "port0";

beforeAll(async () => {
  const [port = ""] = igbPorts();
  await nameLink(port, PORT);
});

function indexOf(ifname: string): number {
  return ipJson("link", "show", "dev", ifname)[0].ifindex;
}

function apply(calls: Calls, ifindex: number, steps: readonly LinkStep[]) {
  return calls.applySteps({ netns: "host", ifindex, steps, onFailure: "continue" }).failed;
}

/** All that ethtool tells of the settings. */
function settings(ifname: string): readonly string[] {
  return ["-k", "-g", "-l", "-c", "-a", "--show-priv-flags"].map((option) => run(["ethtool", option, ifname]));
}

describe("an igb port", () => {
  test("its rings, channels, interrupts, pause and private flags are those that ethtool shows, and come home", async () => {
    using calls = kernelCalls();
    using pod = new HeldTestNetns(calls);
    const ifindex = indexOf(PORT);
    const was = settings(PORT);
    const before = calls.snapshotLink({ netns: "host", ifindex }).ethtool ?? {};
    // Matchers are written into what they match.
    expect(structuredClone(before)).toMatchObject({
      rings: { rx: 256, tx: 256 },
      channels: { combined: expect.any(Number) },
      coalesce: { rxUsecs: expect.any(Number) },
      pause: { autoneg: expect.any(Number), rx: expect.any(Number), tx: expect.any(Number) },
      privateFlags: { "legacy-rx": false },
    });

    const away = calls.moveLink({ from: "host", ifindex, to: pod.ref, temporaryName: "nf-tmp0" });
    pod.exec("ethtool", "-G", "nf-tmp0", "rx", "512", "tx", "128");
    pod.exec("ethtool", "-C", "nf-tmp0", "rx-usecs", "50");
    pod.exec("ethtool", "-A", "nf-tmp0", "autoneg", "off", "rx", "off", "tx", "off");
    pod.exec("ethtool", "--set-priv-flags", "nf-tmp0", "legacy-rx", "on");
    pod.exec("ethtool", "-K", "nf-tmp0", "tso", "off", "rxvlan", "off");
    const back = calls.moveLink({ from: pod.ref, ifindex: away.ifindex, to: "host", temporaryName: PORT });
    expect(settings(PORT)).not.toEqual(was);

    const now = calls.snapshotLink({ netns: "host", ifindex: back.ifindex }).ethtool ?? {};
    expect(apply(calls, back.ifindex, restoreEthtool(before, now))).toEqual([]);
    expect(settings(PORT)).toEqual([...was]);
    expect(calls.snapshotLink({ netns: "host", ifindex: back.ifindex }).ethtool).toEqual(before);
  });

  test("steps set what a class may ask for", () => {
    using calls = kernelCalls();
    const ifindex = indexOf(PORT);
    const was = settings(PORT);
    const before = calls.snapshotLink({ netns: "host", ifindex }).ethtool ?? {};
    const steps: readonly LinkStep[] = [
      { op: "setPrivateFlags", flags: { "legacy-rx": true } },
      { op: "setSettings", group: "rings", values: { rx: 1024 } },
      { op: "setSettings", group: "coalesce", values: { rxUsecs: 10 } },
      { op: "setFeatures", features: { "rx-gro": false } },
    ];
    expect(apply(calls, ifindex, [...steps, ...steps])).toEqual([]);
    expect(run(["ethtool", "--show-priv-flags", PORT])).toMatch(/legacy-rx\s*: on/);
    expect(run(["ethtool", "-g", PORT]).split("Current")[1]).toMatch(/RX:\s+1024/);
    const [failed] = apply(calls, ifindex, [{ op: "setSettings", group: "rings", values: { rx: 100_000 } }]);
    expect(failed?.problem).toContain("requested ring size exceeds maximum");
    apply(calls, ifindex, restoreEthtool(before, calls.snapshotLink({ netns: "host", ifindex }).ethtool));
    expect(settings(PORT)).toEqual([...was]);
  });

  test("comes home from a dead namespace with the pod's XDP program, which is then taken off", async () => {
    using calls = kernelCalls();
    const ifindex = indexOf(PORT);
    {
      using pod = new HeldTestNetns(calls);
      const away = calls.moveLink({ from: "host", ifindex, to: pod.ref, temporaryName: "nf-tmp1" });
      addXdp(pod.ref.fd, away.ifindex, "pod_xdp", 2);
    }
    const [address = ""] = igbPorts();
    await eventually("the kernel has brought it home", () => {
      const home = ipJson("link", "show").find(({ parentdev }) => parentdev === address);
      return home !== undefined;
    });
    await nameLink(address, PORT);
    expect(ipJson("link", "show", "dev", PORT)[0].xdp).toBeDefined();
    const cleared = calls.clearLink({ netns: "host", ifindex: indexOf(PORT), programs: [], spare: "all" });
    expect(cleared).toEqual({ removed: [expect.stringMatching(/^XDP program \d+$/)], problems: [] });
    expect(ipJson("link", "show", "dev", PORT)[0].xdp).toBeUndefined();
  });

  test("loses its VLANs, macvlans and ipvlans on the way home, and a linked XDP program", () => {
    using calls = kernelCalls();
    using pod = new HeldTestNetns(calls);
    const ifindex = indexOf(PORT);
    const away = calls.moveLink({ from: "host", ifindex, to: pod.ref, temporaryName: "nf-tmp2" });
    pod.ip("link", "add", "link", "nf-tmp2", "name", "child-vlan", "type", "vlan", "id", "7");
    pod.ip("link", "add", "link", "child-vlan", "name", "grandchild", "type", "macvlan");
    pod.ip("link", "add", "link", "nf-tmp2", "name", "child-mv", "type", "macvlan");
    using program = loadProgram("xdp", "pod_xdp");
    using _link = linkXdp(pod.ref.fd, away.ifindex, program);
    const cleared = calls.clearLink({ netns: pod.ref, ifindex: away.ifindex, programs: [], spare: [] });
    expect(cleared.problems).toEqual([]);
    expect(pod.json("link", "show").map(({ ifname }) => ifname)).toEqual(["lo", "nf-tmp2"]);
    pod.ip("link", "add", "link", "nf-tmp2", "name", "child-ipv", "type", "ipvlan");
    calls.clearLink({ netns: pod.ref, ifindex: away.ifindex, programs: [], spare: [] });
    calls.moveLink({ from: pod.ref, ifindex: away.ifindex, to: "host", temporaryName: PORT });
    expect(ipJson("link", "show").filter(({ link }) => link === PORT)).toEqual([]);
  });
});

test("a link that a VRF holds leaves it, in the pod too, and joins it again at home", () => {
  using calls = kernelCalls();
  using pod = new HeldTestNetns(calls);
  ip("link", "add", "blue", "type", "vrf", "table", "77");
  ip("link", "set", "blue", "up");
  ip("link", "add", "d0", "type", "dummy");
  ip("link", "set", "d0", "master", "blue", "up");
  ip("addr", "add", "fd77::1/64", "dev", "d0", "nodad");
  const ifindex = indexOf("d0");
  const before = calls.snapshotLink({ netns: "host", ifindex });
  expect(before.masterName).toBe("blue");

  const away = calls.moveLink({ from: "host", ifindex, to: pod.ref, temporaryName: "nf-tmp3" });
  expect(pod.json("link", "show", "dev", "nf-tmp3")[0].master).toBeUndefined();
  pod.ip("link", "add", "red", "type", "vrf", "table", "5");
  pod.ip("link", "set", "nf-tmp3", "master", "red");
  const cleared = calls.clearLink({ netns: pod.ref, ifindex: away.ifindex, programs: [], spare: [] });
  expect(cleared).toEqual({ removed: ["master red"], problems: [] });
  const back = calls.moveLink({ from: pod.ref, ifindex: away.ifindex, to: "host", temporaryName: "nf-tmp3" });
  const now = calls.snapshotLink({ netns: "host", ifindex: back.ifindex });
  expect(apply(calls, back.ifindex, restoreSteps(before, now, before.takenAtMs))).toEqual([]);
  const home = ipJson("addr", "show", "dev", "d0")[0];
  expect(home.master).toBe("blue");
  expect(home.addr_info.map(({ local }: { local: string }) => local)).toContain("fd77::1");
  ip("link", "del", "d0");
  ip("link", "del", "blue");
});
