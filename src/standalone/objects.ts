/**
 * ResourceClaim and DeviceClass of resource.k8s.io/v1 as files hold them, by the rules of the API server
 * (pkg/apis/resource/validation), in the form that the allocator works with.
 */

import { createHash } from "node:crypto";
import { z } from "zod";
import { optional, wholeNumber } from "../config/fields.ts";
import { claimUid } from "./claim-uid.ts";

/** What one request, or one alternative of it, asks for. */
export interface DeviceRequest {
  /** As results name it: `main`, or `main/sub` for an alternative of `firstAvailable`. */
  readonly name: string;
  readonly deviceClassName: string;
  /** CEL expressions, all of which must hold. */
  readonly selectors: readonly string[];
  /** `undefined`: allocationMode All. */
  readonly count?: number;
}

export interface Constraint {
  /** Empty: all requests. `main` stands for `main/sub` too. */
  readonly requests: readonly string[];
  /** match: all devices have the same value; distinct: all have different ones. */
  readonly kind: "match" | "distinct";
  /** Full attribute name. */
  readonly attribute: string;
}

export interface OpaqueConfig {
  readonly requests: readonly string[];
  readonly driver: string;
  readonly parameters: unknown;
}

export interface ClaimSpec {
  /** For each request its alternatives, best first; `exactly` is one alone. */
  readonly requests: readonly (readonly DeviceRequest[])[];
  readonly constraints: readonly Constraint[];
  readonly configs: readonly OpaqueConfig[];
}

export interface ResourceClaim extends ClaimSpec {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Changes when the spec does: an allocation is for one spec. */
  readonly digest: string;
}

export interface DeviceClass {
  readonly name: string;
  readonly selectors: readonly string[];
  readonly configs: readonly OpaqueConfig[];
}

const MAX_ENTRIES = 32; // requests, constraints, configs, selectors: resource/v1 types.go
const MAX_ALTERNATIVES = 8;

const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "is not a DNS label: lower-case letters, digits and '-', at most 63");
const dnsSubdomain = z
  .string()
  .max(253, "is longer than 253 characters")
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    "is not a DNS subdomain: lower-case letters, digits, '-' and '.'",
  );
const attributeName = z
  .string()
  .regex(/^[a-z0-9.-]+\/[A-Za-z_][A-Za-z0-9_]{0,31}$/, "is not a full attribute name, as dra.net/numaNode");
const list = <S extends z.ZodType>(item: S, most = MAX_ENTRIES) =>
  optional(z.array(item).max(most, `has more than ${most} entries`));

const selectors = list(z.strictObject({ cel: z.strictObject({ expression: z.string().min(1, "is empty") }) }));
const opaque = z.strictObject({ driver: dnsSubdomain, parameters: z.record(z.string(), z.unknown()) });
const unserved = (what: string) =>
  optional(
    z.unknown().refine((value) => value === undefined || value === false, `${what} is not served in standalone mode`),
  );

const requestFields = {
  deviceClassName: dnsSubdomain,
  selectors,
  allocationMode: optional(z.enum(["ExactCount", "All"])),
  count: optional(wholeNumber(0, MAX_ENTRIES)),
  capacity: unserved("capacity"),
  // Devices carry no taints in standalone mode, so every toleration is met.
  tolerations: optional(z.array(z.unknown())),
};
const countProblem = { path: ["count"], error: "must be absent with allocationMode All, and at least 1 otherwise" };
const countFits = (request: { allocationMode?: string | undefined; count?: number | undefined }): boolean =>
  request.allocationMode === "All" ? !request.count : request.count !== 0;
const exactly = z
  .strictObject({ ...requestFields, adminAccess: unserved("adminAccess") })
  .refine(countFits, countProblem);
const alternative = z.strictObject({ ...requestFields, name: dnsLabel }).refine(countFits, countProblem);
const request = z
  .strictObject({ name: dnsLabel, exactly: optional(exactly), firstAvailable: list(alternative, MAX_ALTERNATIVES) })
  .refine(({ exactly, firstAvailable = [] }) => (exactly === undefined) !== (firstAvailable.length === 0), {
    error: "needs either exactly or firstAvailable",
  });
const constraint = z
  .strictObject({
    requests: list(z.string()),
    matchAttribute: optional(attributeName),
    distinctAttribute: optional(attributeName),
  })
  .refine((given) => (given.matchAttribute === undefined) !== (given.distinctAttribute === undefined), {
    error: "needs either matchAttribute or distinctAttribute",
  });

const metadata = z.looseObject({
  name: dnsSubdomain,
  namespace: optional(dnsLabel),
  uid: optional(z.string().regex(/^[A-Za-z0-9-]{1,64}$/, "is not a UID")),
});
const head = { apiVersion: z.literal("resource.k8s.io/v1"), metadata };

export const claimSchema = z
  .strictObject({
    ...head,
    kind: z.literal("ResourceClaim"),
    spec: z.strictObject({
      devices: z.strictObject({
        requests: z.array(request).min(1, "is empty").max(MAX_ENTRIES, `has more than ${MAX_ENTRIES} entries`),
        constraints: list(constraint),
        config: list(z.strictObject({ requests: list(z.string()), opaque })),
      }),
    }),
    // Written by `kubectl get -o yaml`; the status here is netferry's own.
    status: z.unknown().optional(),
  })
  .superRefine(({ spec: { devices } }, context) => {
    const names = new Set<string>();
    const known = (name: string, path: (string | number)[]): void => {
      if (names.has(name))
        context.addIssue({ code: "custom", path, message: `${JSON.stringify(name)} is there twice` });
      names.add(name);
    };
    for (const [i, { name, firstAvailable = [] }] of devices.requests.entries()) {
      known(name, ["spec", "devices", "requests", i, "name"]);
      for (const [j, sub] of firstAvailable.entries()) {
        known(`${name}/${sub.name}`, ["spec", "devices", "requests", i, "firstAvailable", j, "name"]);
      }
    }
    for (const part of ["constraints", "config"] as const) {
      for (const [i, { requests = [] }] of (devices[part] ?? []).entries()) {
        for (const [j, name] of requests.entries()) {
          if (names.has(name)) continue;
          const path = ["spec", "devices", part, i, "requests", j];
          context.addIssue({ code: "custom", path, message: `${JSON.stringify(name)} is not a request of this claim` });
        }
      }
    }
  });

export const classSchema = z.strictObject({
  ...head,
  kind: z.literal("DeviceClass"),
  spec: z.strictObject({
    selectors,
    config: list(z.strictObject({ opaque })),
    // For the scheduler's extended resources; nothing to do with it here.
    extendedResourceName: optional(z.string()),
  }),
});

export function toClaim({ metadata, spec: { devices } }: z.output<typeof claimSchema>): ResourceClaim {
  const namespace = metadata.namespace ?? "default";
  const spec: ClaimSpec = {
    requests: devices.requests.map(({ name, exactly: one, firstAvailable = [] }) =>
      one === undefined ? firstAvailable.map((sub) => toRequest(`${name}/${sub.name}`, sub)) : [toRequest(name, one)],
    ),
    constraints: (devices.constraints ?? []).map(({ requests = [], matchAttribute, distinctAttribute = "" }) =>
      matchAttribute === undefined
        ? { requests, kind: "distinct", attribute: distinctAttribute }
        : { requests, kind: "match", attribute: matchAttribute },
    ),
    configs: (devices.config ?? []).map(({ requests = [], opaque }) => ({ requests, ...opaque })),
  };
  const digest = createHash("sha256").update(JSON.stringify(spec)).digest("hex");
  return { uid: metadata.uid ?? claimUid(namespace, metadata.name), namespace, name: metadata.name, digest, ...spec };
}

export function toClass({ metadata, spec }: z.output<typeof classSchema>): DeviceClass {
  return {
    name: metadata.name,
    selectors: expressions(spec.selectors),
    configs: (spec.config ?? []).map(({ opaque }) => ({ requests: [], ...opaque })),
  };
}

function toRequest(name: string, given: z.output<typeof exactly> | z.output<typeof alternative>): DeviceRequest {
  const { deviceClassName, allocationMode, count = 1 } = given;
  return {
    name,
    deviceClassName,
    selectors: expressions(given.selectors),
    ...(allocationMode === "All" ? {} : { count }),
  };
}

function expressions(given: readonly { readonly cel: { readonly expression: string } }[] = []): string[] {
  return given.map(({ cel }) => cel.expression);
}
