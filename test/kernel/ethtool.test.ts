/** Settings of drivers, against the program ethtool. What veth has: features and channels. */

import { expect, test } from "bun:test";
import { configuredEthtool, restoreEthtool } from "../../src/attach/ethtool.ts";
import { kernelCalls } from "../../src/kernel/serve.ts";
import type { LinkStep } from "../../src/kernel/steps.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

type Calls = ReturnType<typeof kernelCalls>;

function withVeth(calls: Calls): HeldTestNetns & { readonly v0: number } {
  const netns = new HeldTestNetns(calls);
  netns.ip("link", "add", "v0", "numrxqueues", "4", "numtxqueues", "4", "type", "veth", "peer", "name", "v1");
  return Object.assign(netns, { v0: netns.ifindexOf("v0") });
}

interface Feature {
  readonly on: boolean;
  readonly fixed: boolean;
}

/** `ethtool -k`, without the lines that sum up others. */
function features(netns: HeldTestNetns, ifname = "v0"): Readonly<Record<string, Feature>> {
  const lines = netns.exec("ethtool", "-k", ifname).split("\n").slice(1);
  const sums = /^(rx-checksumming|tx-checksumming|scatter-gather|tcp-segmentation-offload)$/;
  const renamed: Readonly<Record<string, string>> = {
    "generic-segmentation-offload": "tx-generic-segmentation",
    "generic-receive-offload": "rx-gro",
    "large-receive-offload": "rx-lro",
    "rx-vlan-offload": "rx-vlan-hw-parse",
    "tx-vlan-offload": "tx-vlan-hw-insert",
    "ntuple-filters": "rx-ntuple-filter",
    "receive-hashing": "rx-hashing",
  };
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name = "", on = "", fixed] = /^\s*([\w-]+): (on|off)( \[fixed\])?/.exec(line) ?? [];
      if (name === "" || sums.test(name)) return [];
      return [[renamed[name] ?? name, { on: on === "on", fixed: fixed !== undefined }]];
    }),
  );
}

function ethtoolOf(calls: Calls, netns: HeldTestNetns, ifindex: number) {
  const { ethtool } = calls.snapshotLink({ netns: netns.ref, ifindex });
  if (ethtool === undefined) throw new Error("a snapshot without the driver's settings");
  return ethtool;
}

function apply(calls: Calls, netns: HeldTestNetns, ifindex: number, ...steps: LinkStep[]): void {
  calls.applySteps({ netns: netns.ref, ifindex, steps, onFailure: "stop" });
}

test("a snapshot holds the features that ethtool shows", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  netns.exec("ethtool", "-K", "v0", "tso", "off", "gro", "on");
  const { features: found } = ethtoolOf(calls, netns, netns.v0);
  const shown = features(netns);
  const ours = Object.fromEntries([
    ...Object.entries(found?.wanted ?? {}).map(([name, on]) => [name, { on, fixed: false }]),
    ...Object.entries(found?.fixed ?? {}).map(([name, on]) => [name, { on, fixed: true }]),
  ]);
  // rx-checksumming is one feature on its own, behind the name of a sum.
  expect(ours["rx-checksum"]).toEqual({ on: true, fixed: false });
  for (const [name, feature] of Object.entries(shown)) expect([name, ours[name]]).toEqual([name, feature]);
  expect(Object.keys(ours).length).toBeGreaterThanOrEqual(Object.keys(shown).length);
});

test("setFeatures turns features on and off, and names those that the driver keeps", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  const before = features(netns);
  apply(calls, netns, netns.v0, {
    op: "setFeatures",
    features: { "tx-sctp-segmentation": false, "rx-gro": true, "rx-vlan-hw-parse": false },
  });
  expect(features(netns)).toEqual({
    ...before,
    "tx-sctp-segmentation": { on: false, fixed: false },
    "rx-gro": { on: true, fixed: false },
    "rx-vlan-hw-parse": { on: false, fixed: false },
  });
  const refused: LinkStep = { op: "setFeatures", features: { "rx-lro": true, "rx-gro": false } };
  expect(() => apply(calls, netns, netns.v0, refused)).toThrow("changing rx-lro is not supported here");
  expect(features(netns)["rx-gro"]).toEqual({ on: false, fixed: false });
  const unknown: LinkStep = { op: "setFeatures", features: { "rx-teleport": true } };
  expect(() => apply(calls, netns, netns.v0, unknown)).toThrow("bit name not found");
});

test("a feature that another stands in the way of is a failure when it is asked for, not when it comes home", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  netns.exec("ethtool", "-K", "v0", "sg", "off");
  netns.exec("ethtool", "-K", "v0", "tx-tcp-segmentation", "off");
  const step: LinkStep = { op: "setFeatures", features: { "tx-tcp-segmentation": true } };
  expect(() => apply(calls, netns, netns.v0, step)).toThrow("changing tx-tcp-segmentation is not supported");
  netns.exec("ethtool", "-K", "v0", "tx-tcp-segmentation", "off");
  apply(calls, netns, netns.v0, { ...step, isWish: true });
  expect(netns.exec("ethtool", "-k", "v0")).toContain("tx-tcp-segmentation: off [requested on]");
});

test("the old names of ethtool mean for us what they mean for it", () => {
  using calls = kernelCalls();
  using ours = withVeth(calls);
  using its = withVeth(calls);
  for (const name of ["tx", "sg", "tso", "gso", "gro", "rx", "rxvlan", "txvlan", "tcp-segmentation-offload"]) {
    for (const on of [false, true]) {
      its.exec("ethtool", "-K", "v0", name, on ? "on" : "off");
      const steps = configuredEthtool({ features: { [name]: on } }, "v0", ethtoolOf(calls, ours, ours.v0));
      apply(calls, ours, ours.v0, ...steps);
      expect([name, on, features(ours)]).toEqual([name, on, features(its)]);
    }
  }
});

test("setSettings sets channels, and tells what the driver does not have", () => {
  using calls = kernelCalls();
  using netns = withVeth(calls);
  const before = ethtoolOf(calls, netns, netns.v0);
  expect(before.channels).toEqual({ rx: 4, tx: 4 });
  expect([before.rings, before.coalesce, before.pause, before.privateFlags]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  apply(calls, netns, netns.v0, { op: "setSettings", group: "channels", values: { rx: 3, tx: 2 } });
  const shown = netns.exec("ethtool", "-l", "v0").split("Current hardware settings:")[1] ?? "";
  expect(shown).toMatch(/RX:\s+3\nTX:\s+2\n/);
  const tooMany: LinkStep = { op: "setSettings", group: "channels", values: { rx: 5 } };
  expect(() => apply(calls, netns, netns.v0, tooMany)).toThrow("EINVAL (requested channel count exceeds maximum)");
  const rings: LinkStep = { op: "setSettings", group: "rings", values: { rx: 64 } };
  expect(() => apply(calls, netns, netns.v0, rings)).toThrow("EOPNOTSUPP");
  const flags: LinkStep = { op: "setPrivateFlags", flags: { legacy: true } };
  expect(() => apply(calls, netns, netns.v0, flags)).toThrow("EOPNOTSUPP");
});

test("restoreEthtool() makes a link that a pod re-configured what it was", () => {
  using calls = kernelCalls();
  using home = withVeth(calls);
  using pod = new HeldTestNetns(calls);
  home.exec("ethtool", "-K", "v0", "tso", "off");
  home.exec("ethtool", "-L", "v0", "rx", "2");
  const before = ethtoolOf(calls, home, home.v0);
  const shown = features(home);
  const away = calls.moveLink({ from: home.ref, ifindex: home.v0, to: pod.ref, temporaryName: "nf-tmp8" });
  pod.exec("ethtool", "-K", "nf-tmp8", "tso", "on", "rx", "off", "sg", "off", "gro", "on");
  pod.exec("ethtool", "-L", "nf-tmp8", "rx", "3", "tx", "3");
  const back = calls.moveLink({ from: pod.ref, ifindex: away.ifindex, to: home.ref, temporaryName: "v0" });
  const now = ethtoolOf(calls, home, back.ifindex);
  expect(features(home)).not.toEqual(shown);
  apply(calls, home, back.ifindex, ...restoreEthtool(before, now));
  expect(features(home)).toEqual(shown);
  expect(ethtoolOf(calls, home, back.ifindex)).toEqual(before);
  expect(restoreEthtool(before, before)).toEqual([]);
});
