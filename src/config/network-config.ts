/**
 * The opaque configuration of a claim or DeviceClass, schema of DRANET (pkg/apis/types.go, validation.go) and what
 * netferry adds. What leaves here is in canonical form: addresses as the kernel's tools print them, destinations with the
 * host's bits cleared.
 */

import { z } from "zod";
import { ConfigError } from "../lib/errors.ts";
import { type CpuConfig, cpuSchema } from "./cpu.ts";
import { type EthtoolConfig, ethtoolSchema } from "./ethtool.ts";
import { SECTIONS, WHOLE_FIELDS } from "./field-table.ts";
import { flag, optional, optionalText } from "./fields.ts";
import type { InterfaceConfig } from "./interface.ts";
import { interfaceSchema } from "./interface-schema.ts";
import { familyOf } from "./ip.ts";
import { type NeighborConfig, neighborSchema } from "./neighbors.ts";
import { refineAll } from "./refine-all.ts";
import { type RouteConfig, routeSchema } from "./routes.ts";
import { type RuleConfig, ruleSchema } from "./rules.ts";
import { unservedProblems } from "./served.ts";
import { unknownKey } from "./unknown-key.ts";
import { DRIVERS, type VfConfig, vfSchema } from "./vf.ts";
import { formatPath, type Problem, problemsOf } from "./zod-problems.ts";

export interface NetworkConfig {
  readonly profile?: string;
  readonly interface?: InterfaceConfig;
  readonly routes?: readonly RouteConfig[];
  readonly rules?: readonly RuleConfig[];
  readonly neighbors?: readonly NeighborConfig[];
  readonly ethtool?: EthtoolConfig;
  readonly cpu?: CpuConfig;
  readonly rdmaExclusive?: boolean;
  readonly umad?: boolean;
  readonly issm?: boolean;
  readonly vf?: VfConfig;
  readonly driver?: (typeof DRIVERS)[number];
  readonly vhostNet?: boolean;
  readonly tun?: boolean;
}

/** What a class may say beside its configuration. */
export interface ClassConfig {
  readonly config: NetworkConfig;
  /** Fields and sections that a claim may set to another value than the class does: `interface.mtu`, `routes`. */
  readonly overridable: readonly string[];
}

const sections = {
  profile: optionalText(z.string()),
  interface: optional(interfaceSchema),
  routes: optional(z.array(routeSchema)),
  rules: optional(z.array(ruleSchema)),
  neighbors: optional(z.array(neighborSchema)),
  ethtool: optional(ethtoolSchema),
  cpu: optional(cpuSchema),
  rdmaExclusive: optional(z.boolean()),
  umad: optional(z.boolean()),
  issm: optional(z.boolean()),
  vf: optional(vfSchema),
  driver: optional(z.enum(DRIVERS)),
  vhostNet: optional(flag),
  tun: optional(flag),
};

const RULES = [
  {
    path: "rules",
    holds: ({ rules, interface: link }: { rules?: unknown; interface?: { vrf?: unknown } | undefined }) =>
      !(Array.isArray(rules) && rules.length > 0 && link?.vrf !== undefined),
    error: "cannot be given together with interface.vrf, which has rules of its own",
  },
  {
    path: "routes",
    holds: ({ routes, interface: link }: { routes?: unknown; interface?: { disableIPv6?: unknown } | undefined }) =>
      !(Array.isArray(routes) && link?.disableIPv6 === true && routes.some((route) => isIpv6(route))),
    error: "cannot hold an IPv6 route while interface.disableIPv6 is true",
  },
];

function isIpv6(route: unknown): boolean {
  return typeof route === "object" && route !== null && familyOf(Reflect.get(route, "destination")) === "ipv6";
}

const overridable = optional(z.array(z.enum([...SECTIONS, ...WHOLE_FIELDS])));
const claimSchema = refineAll(z.strictObject(sections), RULES);
/** The schema of a class's configuration, which has all that a claim's has. */
export const classSchema = refineAll(z.strictObject({ ...sections, overridable }), RULES);

/** `where` names the configuration in the error, which lists all problems with their paths. Throws a ConfigError. */
export function parseNetworkConfig(value: unknown, where: string): NetworkConfig {
  const read = readNetworkConfig(value);
  if ("problems" in read) throw configError(where, read.problems);
  return read.config;
}

/** The same for a DeviceClass, which may hold `overridable`. */
export function parseClassConfig(value: unknown, where: string): ClassConfig {
  const read = readClassConfig(value);
  if ("problems" in read) throw configError(where, read.problems);
  return read;
}

export interface Refused {
  /** At least one. */
  readonly problems: readonly Problem[];
}

/** The configuration, or everything that is wrong with it. */
export function readNetworkConfig(value: unknown): { readonly config: NetworkConfig } | Refused {
  const read = readBy(claimSchema, value);
  return "problems" in read ? read : { config: read.value };
}

export function readClassConfig(value: unknown): ClassConfig | Refused {
  const read = readBy(classSchema, value);
  if ("problems" in read) return read;
  const { overridable = [], ...config } = read.value;
  return { config, overridable };
}

/** One sentence for each problem. */
export function configError(where: string, problems: readonly Problem[]): ConfigError {
  const sentences = problems.map(({ path, text }) => `${formatPath(path) || "configuration"}: ${text}`);
  return new ConfigError(where, sentences.join("; "));
}

/** The schema's output without the keys whose value is undefined. */
type Given<T> = T extends readonly (infer Item)[]
  ? Given<Item>[]
  : T extends object
    ? { [Key in keyof T]: Given<Exclude<T[Key], undefined>> }
    : T;

function readBy<S extends z.ZodType>(schema: S, value: unknown): { readonly value: Given<z.output<S>> } | Refused {
  const parsed = schema.safeParse(value ?? {});
  const problems = [...(parsed.success ? [] : problemsOf(parsed.error, value, unknownKey)), ...unservedProblems(value)];
  if (problems.length > 0 || !parsed.success) return { problems };
  return { value: withoutUndefined(parsed.data) as Given<z.output<S>> };
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(given.map(([key, inner]) => [key, withoutUndefined(inner)]));
}
