import { expect, test } from "bun:test";
import type { EthtoolState } from "../kernel/calls.ts";
import { configuredEthtool, restoreEthtool } from "./ethtool.ts";

const HOST: EthtoolState = {
  features: {
    wanted: { "tx-tcp-segmentation": true, "tx-tcp6-segmentation": true, "rx-gro": true },
    fixed: { "tx-tcp-mangleid-segmentation": false, "rx-lro": false, highdma: true },
  },
  privateFlags: { rx_striding_rq: true, legacy: false },
  channels: { combined: 8 },
  rings: { rx: 512, tx: 512 },
  coalesce: { rxUsecs: 3, rxMaxFrames: 64, useAdaptiveRx: 1 },
};

test("configuredEthtool() sets private flags, queues, rings, interrupts and features, in this order", () => {
  const steps = configuredEthtool(
    {
      features: { tso: false, "rx-gro": false },
      coalesce: { adaptiveRx: false, rxUsecs: 0, rxFrames: 1 },
      rings: { rx: 1024 },
      channels: { combined: 4 },
      privateFlags: { legacy: true },
    },
    "eth1",
    HOST,
  );
  expect(steps).toEqual([
    { op: "setPrivateFlags", flags: { legacy: true } },
    { op: "setSettings", group: "channels", values: { combined: 4 } },
    { op: "setSettings", group: "rings", values: { rx: 1024 } },
    { op: "setSettings", group: "coalesce", values: { useAdaptiveRx: 0, rxUsecs: 0, rxMaxFrames: 1 } },
    {
      op: "setFeatures",
      features: { "tx-tcp-segmentation": false, "tx-tcp6-segmentation": false, "rx-gro": false },
    },
  ]);
});

test("configuredEthtool() takes a fixed feature that is as it should be for done", () => {
  expect(configuredEthtool({ features: { lro: false, highdma: true } }, "eth1", HOST)).toEqual([]);
});

test("configuredEthtool() names what the driver does not have", () => {
  const refused: readonly (readonly [Parameters<typeof configuredEthtool>[0], string])[] = [
    [{ features: { lro: true } }, "feature lro of eth1 is fixed off"],
    [{ features: { teleport: true } }, 'eth1 has no feature "teleport"'],
    [{ features: { toString: true } }, 'eth1 has no feature "toString"'],
    [{ privateFlags: { turbo: true } }, 'no private flag "turbo"; it has rx_striding_rq, legacy'],
    [{ rings: { rxJumbo: 1 } }, 'no setting of rings "rxJumbo"; it has rx, tx'],
  ];
  for (const [config, sentence] of refused) expect(() => configuredEthtool(config, "eth1", HOST)).toThrow(sentence);
  expect(() => configuredEthtool({ rings: { rx: 1 } }, "veth0", {})).toThrow('no setting of rings "rx", nor any other');
});

test("restoreEthtool() puts back what differs and nothing else", () => {
  const now: EthtoolState = {
    ...HOST,
    features: { wanted: { "tx-tcp-segmentation": false, "tx-tcp6-segmentation": true, "rx-gro": true }, fixed: {} },
    privateFlags: { rx_striding_rq: true, legacy: true },
    rings: { rx: 64, tx: 512 },
  };
  expect(restoreEthtool(HOST, now)).toEqual([
    { op: "setPrivateFlags", flags: { legacy: false } },
    { op: "setSettings", group: "rings", values: { rx: 512 } },
    { op: "setFeatures", features: { "tx-tcp-segmentation": true }, isWish: true },
  ]);
  expect(restoreEthtool(HOST, HOST)).toEqual([]);
  expect(restoreEthtool(undefined, now)).toEqual([]);
});
