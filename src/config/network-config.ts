/**
 * The opaque configuration of a claim or DeviceClass, schema of DRANET (pkg/apis/types.go, validation.go). What leaves
 * here is in canonical form: addresses as the kernel's tools print them, destinations with the host's bits cleared.
 */

import { z } from "zod";
import { ConfigError } from "../lib/errors.ts";
import { optional } from "./fields.ts";
import { type InterfaceConfig, interfaceSchema } from "./interface.ts";
import { type NeighborConfig, neighborSchema } from "./neighbors.ts";
import { type RouteConfig, routeSchema } from "./routes.ts";
import { type RuleConfig, ruleSchema } from "./rules.ts";
import { unknownKey } from "./unknown-key.ts";
import { formatPath, problemsOf } from "./zod-problems.ts";

export interface NetworkConfig {
  readonly interface?: InterfaceConfig;
  readonly routes?: readonly RouteConfig[];
  readonly rules?: readonly RuleConfig[];
  readonly neighbors?: readonly NeighborConfig[];
}

/** What a class may say beside its configuration. */
export interface ClassConfig {
  readonly config: NetworkConfig;
  /** Fields that a claim may set to another value than the class does: `interface.mtu`, `routes`. */
  readonly overridable: readonly OverridablePath[];
}

export const OVERRIDABLE_PATHS = [
  "interface",
  "interface.name",
  "interface.addresses",
  "interface.mtu",
  "interface.hardwareAddr",
  "routes",
  "rules",
  "neighbors",
] as const;
export type OverridablePath = (typeof OVERRIDABLE_PATHS)[number];

const sections = {
  interface: optional(interfaceSchema),
  routes: optional(z.array(routeSchema)),
  rules: optional(z.array(ruleSchema)),
  neighbors: optional(z.array(neighborSchema)),
};
const claimSchema = z.strictObject(sections);
const classSchema = z.strictObject({ ...sections, overridable: optional(z.array(z.enum(OVERRIDABLE_PATHS))) });

/** `where` names the configuration in the error, which lists all problems with their paths. Throws a ConfigError. */
export function parseNetworkConfig(value: unknown, where: string): NetworkConfig {
  return parse(claimSchema, value, where);
}

/** The same for a DeviceClass, which may hold `overridable`. */
export function parseClassConfig(value: unknown, where: string): ClassConfig {
  const { overridable = [], ...config } = parse(classSchema, value, where);
  return { config, overridable };
}

/** The schema's output without the keys whose value is undefined. */
type Given<T> = T extends readonly (infer Item)[]
  ? Given<Item>[]
  : T extends object
    ? { [Key in keyof T]: Given<Exclude<T[Key], undefined>> }
    : T;

function parse<S extends z.ZodType>(schema: S, value: unknown, where: string): Given<z.output<S>> {
  const parsed = schema.safeParse(value ?? {});
  if (!parsed.success) {
    const problems = problemsOf(parsed.error, value, unknownKey);
    throw new ConfigError(
      where,
      problems.map(({ path, text }) => `${formatPath(path) || "configuration"}: ${text}`).join("; "),
    );
  }
  return withoutUndefined(parsed.data) as Given<z.output<S>>;
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(given.map(([key, inner]) => [key, withoutUndefined(inner)]));
}
