/** Settings of the driver: what a configuration asks for, and what a return has to put back. Pure. */

import type { EthtoolConfig } from "../config/ethtool.ts";
import type { EthtoolState } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Features, Settings, Switches } from "../netlink/ethtool.ts";
import type { SettingsGroup } from "../netlink/ethtool-settings.ts";
import { featuresMeant } from "./feature-names.ts";

/** Queues before the rings in each, those before their interrupts: drivers begin anew with each of them. */
const GROUPS: readonly SettingsGroup[] = ["channels", "rings", "coalesce", "pause"];

/** Words of the configuration that are not the kernel's. */
const COALESCE_NAMES: Readonly<Record<string, string>> = {
  adaptiveRx: "useAdaptiveRx",
  adaptiveTx: "useAdaptiveTx",
  rxFrames: "rxMaxFrames",
  txFrames: "txMaxFrames",
};

/** Steps for what is configured. Throws a ClaimError for what the link's driver does not have. */
export function configuredEthtool(config: EthtoolConfig, link: string, host: EthtoolState = {}): LinkStep[] {
  const steps: LinkStep[] = [];
  const flags = config.privateFlags ?? {};
  requireKnown(Object.keys(flags), host.privateFlags ?? {}, `private flag`, link);
  if (Object.keys(flags).length > 0) steps.push({ op: "setPrivateFlags", flags });
  const asked: Partial<Record<SettingsGroup, Settings>> = {
    channels: config.channels ?? {},
    rings: config.rings ?? {},
    coalesce: coalesceOf(config.coalesce ?? {}),
  };
  for (const group of GROUPS) {
    const values = asked[group] ?? {};
    requireKnown(Object.keys(values), host[group] ?? {}, `setting of ${group}`, link);
    if (Object.keys(values).length > 0) steps.push({ op: "setSettings", group, values });
  }
  const features = changeableFeatures(config.features ?? {}, link, host.features);
  if (Object.keys(features).length > 0) steps.push({ op: "setFeatures", features });
  return steps;
}

function requireKnown(asked: readonly string[], known: Readonly<Record<string, unknown>>, what: string, link: string) {
  const unknown = asked.find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const has = Object.keys(known).join(", ");
  throw new ClaimError(
    `the driver of ${link} has no ${what} ${JSON.stringify(unknown)}${has === "" ? ", nor any other" : `; it has ${has}`}`,
  );
}

function coalesceOf(config: NonNullable<EthtoolConfig["coalesce"]>): Settings {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [COALESCE_NAMES[name] ?? name, Number(value)]),
  );
}

/** By the kernel's names. A fixed feature that is as it should be is no matter. */
function changeableFeatures(asked: Switches, link: string, host: Features = { wanted: {}, fixed: {} }): Switches {
  const wanted: Record<string, boolean> = {};
  for (const [name, on] of Object.entries(asked)) {
    const meant = featuresMeant(name, [...Object.keys(host.wanted), ...Object.keys(host.fixed)]);
    if (meant.length === 0)
      throw new ClaimError(
        `${link} has no feature ${JSON.stringify(name)}: \`ethtool -k ${link}\` shows those that it has`,
      );
    const changeable = meant.filter((feature) => Object.hasOwn(host.wanted, feature));
    const isSoAlready = meant.every((feature) => host.fixed[feature] === on);
    if (changeable.length === 0 && !isSoAlready)
      throw new ClaimError(`feature ${name} of ${link} is fixed ${on ? "off" : "on"}: its driver cannot change it`);
    for (const feature of changeable) wanted[feature] = on;
  }
  return wanted;
}

/** Steps that make `now` what `before` was. What the driver did not tell before is left alone. */
export function restoreEthtool(before: EthtoolState = {}, now: EthtoolState = {}): LinkStep[] {
  const flags = changed(before.privateFlags, now.privateFlags);
  const features = changed(before.features?.wanted, now.features?.wanted);
  return [
    ...(flags === undefined ? [] : [{ op: "setPrivateFlags", flags } as const]),
    ...GROUPS.flatMap((group): LinkStep[] => {
      const values = changed(before[group], now[group]);
      return values === undefined ? [] : [{ op: "setSettings", group, values }];
    }),
    ...(features === undefined ? [] : [{ op: "setFeatures", features, isWish: true } as const]),
  ];
}

function changed<T>(
  before: Readonly<Record<string, T>> = {},
  now: Readonly<Record<string, T>> = {},
): Readonly<Record<string, T>> | undefined {
  const entries = Object.entries(before).filter(([name, value]) => now[name] !== value);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
