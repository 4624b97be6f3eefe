/**
 * What an API server refuses in a ResourceSlice, as far as a node-local driver meets it: an opinion that is not the
 * product's own. Source: kubernetes `pkg/apis/resource/validation/validation.go` and `resource/v1/types.go`.
 */

import { isDeepStrictEqual } from "node:util";

export interface Cause {
  readonly field: string;
  readonly message: string;
}

// biome-ignore lint/suspicious/noExplicitAny: it checks what a client sent, which may be anything
type Untyped = any;

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;
const MAX_DEVICES = 128;
const MAX_RICH_DEVICES = 64;
const MAX_ATTRIBUTES = 32;
const MAX_VALUES = 48;
const MAX_VALUE_BYTES = 64;

export function validateSlice(slice: Untyped, old?: Untyped): Cause[] {
  const causes: Cause[] = [];
  const fail = (field: string, message: string) => causes.push({ field, message });
  const spec = slice.spec ?? {};
  if (!SUBDOMAIN.test(spec.driver ?? "") || spec.driver.length > 63) fail("spec.driver", "must be a DNS subdomain");
  const pool = spec.pool ?? {};
  const parts = String(pool.name ?? "").split("/");
  if (String(pool.name ?? "").length > 253 || !parts.every((part) => SUBDOMAIN.test(part)))
    fail("spec.pool.name", "must be DNS subdomains separated by slashes");
  if (!Number.isInteger(pool.generation) || pool.generation < 0)
    fail("spec.pool.generation", "must be greater than or equal to zero");
  if (!Number.isInteger(pool.resourceSliceCount) || pool.resourceSliceCount <= 0)
    fail("spec.pool.resourceSliceCount", "must be greater than zero");
  const places = [spec.nodeName, spec.nodeSelector, spec.allNodes, spec.perDeviceNodeSelection];
  if (places.filter((place) => place !== undefined).length !== 1)
    fail("spec", "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required");
  for (const field of ["driver", "nodeName"])
    if (old !== undefined && !isDeepStrictEqual(old.spec[field], spec[field]))
      fail(`spec.${field}`, "field is immutable");
  if (old !== undefined && old.spec.pool.name !== pool.name) fail("spec.pool.name", "field is immutable");
  const devices: Untyped[] = spec.devices ?? [];
  const room = devices.some(isRich) ? MAX_RICH_DEVICES : MAX_DEVICES;
  if (devices.length > room) fail("spec.devices", `must have at most ${room} items`);
  const names = new Set<string>();
  devices.forEach((device, index) => {
    const at = `spec.devices[${index}]`;
    if (!LABEL.test(device.name ?? "")) fail(`${at}.name`, "must be a DNS label");
    if (names.has(device.name)) fail(`${at}.name`, `Duplicate value: ${JSON.stringify(device.name)}`);
    names.add(device.name);
    const attributes = Object.entries(device.attributes ?? {});
    if (attributes.length + Object.keys(device.capacity ?? {}).length > MAX_ATTRIBUTES)
      fail(at, `the total number of attributes and capacities must not exceed ${MAX_ATTRIBUTES}`);
    const values = attributes.reduce((sum, [, value]) => sum + (listIn(value)?.length ?? 1), 0);
    if (values > MAX_VALUES) fail(at, `the total number of attribute values must not exceed ${MAX_VALUES}`);
    if (device.capacity !== undefined) validateCapacity(`${at}.capacity`, device, fail);
    for (const [key, value] of attributes) validateAttribute(`${at}.attributes[${key}]`, key, value, fail);
  });
  return causes;
}

/** KEP-5075: what a request that names no amount consumes is one of the amounts that may be asked for. */
function validateCapacity(at: string, device: Untyped, fail: (field: string, message: string) => void): void {
  for (const [key, { value, requestPolicy }] of Object.entries<Untyped>(device.capacity)) {
    if (!C_IDENTIFIER.test(key.slice(key.indexOf("/") + 1))) fail(`${at}[${key}]`, "must be a C identifier");
    if (!/^\d+(\.\d+)?[A-Za-z]*$/.test(value ?? "")) fail(`${at}[${key}].value`, "must be a quantity");
    if (requestPolicy === undefined) continue;
    if (device.allowMultipleAllocations !== true)
      fail(`${at}[${key}].requestPolicy`, "allowed only where allowMultipleAllocations is true");
    const { default: fallback, validValues = [] } = requestPolicy;
    if (validValues.length > 0 && !validValues.includes(fallback))
      fail(`${at}[${key}].requestPolicy.default`, "must be one of validValues");
  }
}

function isRich(device: Untyped): boolean {
  return (
    device.taints !== undefined ||
    device.consumesCounters !== undefined ||
    Object.values(device.attributes ?? {}).some((value) => listIn(value) !== undefined)
  );
}

function listIn(value: Untyped): Untyped[] | undefined {
  return Object.values(value ?? {}).find(Array.isArray) as Untyped[] | undefined;
}

function validateAttribute(
  at: string,
  key: string,
  value: Untyped,
  fail: (field: string, message: string) => void,
): void {
  const slash = key.indexOf("/");
  const id = key.slice(slash + 1);
  const domain = slash < 0 ? undefined : key.slice(0, slash);
  if (!C_IDENTIFIER.test(id) || id.length > 32) fail(at, "the name must be a C identifier of at most 32 characters");
  if (domain !== undefined && (!SUBDOMAIN.test(domain) || domain.length > 63))
    fail(at, "the domain must be a DNS subdomain");
  const kinds = Object.keys(value ?? {});
  const [kind] = kinds;
  if (kinds.length !== 1 || kind === undefined) {
    fail(at, "exactly one value must be specified");
    return;
  }
  const given = value[kind];
  const bytes = typeof given === "string" ? Buffer.byteLength(given) : 0;
  if (bytes > MAX_VALUE_BYTES) fail(`${at}.${kind}`, `Too long: may not be more than ${MAX_VALUE_BYTES} bytes`);
  const wellTyped =
    kind === "string"
      ? typeof given === "string"
      : kind === "int"
        ? Number.isInteger(given)
        : kind === "ints"
          ? Array.isArray(given) && given.length > 0 && given.every(Number.isInteger)
          : kind === "bool"
            ? typeof given === "boolean"
            : kind === "version" && typeof given === "string" && SEMVER.test(given);
  if (!wellTyped) fail(`${at}.${kind}`, "Invalid value");
}
