/**
 * CEL selectors of DeviceClasses and claims, in the environment of the scheduler (dynamic-resource-allocation
 * cel/compile.go): one variable `device` with driver, attributes and capacity by domain.
 */

import type { CelInput, CelMap } from "@bufbuild/cel";
import type { Message } from "@bufbuild/protobuf";
import { type Compiler, loadCel, type Program, UnknownToUsError } from "../config/cel.ts";
import type { AttributeValue, Device } from "../inventory/device.ts";
import { asError, ClaimError, describeError } from "../lib/errors.ts";

export type SelectableDevice = Pick<Device, "name" | "attributes" | "shares">;

export interface Selectors {
  /**
   * Throws a ClaimError where the expression cannot be evaluated at all, or not on this device: as in the scheduler
   * the allocation then fails, the device is not just passed over.
   */
  matches(expression: string, device: SelectableDevice): boolean;
}

/** Members of `device`. */
const FIELDS = ["driver", "allowMultipleAllocations", "attributes", "capacity"];

/** Loads the CEL library. `driver` is the domain of attributes whose name has none. */
export async function loadSelectors(driver: string): Promise<Selectors> {
  const { compiler, semverValue } = await loadCompiler();
  const programs = new Map<string, Program>();
  const programFor = (expression: string): Program => {
    const known = programs.get(expression);
    if (known) return known;
    const program = compile(compiler, expression);
    programs.set(expression, program);
    return program;
  };
  return {
    matches(expression, device) {
      const outcome = programFor(expression)({ device: toCel(compiler, device, driver, semverValue) });
      if ("error" in outcome)
        throw new ClaimError(`selector ${quote(expression)} fails on device ${device.name}: ${outcome.error}`);
      if (typeof outcome.value === "boolean") return outcome.value;
      throw new ClaimError(`selector ${quote(expression)} is neither true nor false for device ${device.name}`);
    },
  };
}

/** Loads the CEL library; the answer says what is wrong with an expression, as far as we know the scheduler's CEL. */
export async function loadSelectorCheck(): Promise<(expression: string) => string | undefined> {
  const { compiler } = await loadCompiler();
  return (expression) => {
    try {
      compiler.compile(expression, "");
      return undefined;
    } catch (error) {
      if (error instanceof UnknownToUsError) return undefined;
      return asError(error).message; // it tells its cause already
    }
  };
}

async function loadCompiler() {
  const { functions, registry, semverValue } = await import("./selector-types.ts");
  const compiler = await loadCel((cel) => ({
    variables: { device: { fields: FIELDS } },
    functions: functions(cel),
    registry,
  }));
  return { compiler, semverValue };
}

/** For claims without any selector, which then need no CEL library. */
export const noSelectors: Selectors = {
  matches(expression) {
    throw new ClaimError(`selector ${quote(expression)} cannot be evaluated, CEL is not loaded`);
  },
};

function compile(compiler: Compiler, expression: string): Program {
  try {
    return compiler.compile(expression, `selector ${quote(expression)}`);
  } catch (cause) {
    throw new ClaimError(describeError(cause), { cause });
  }
}

function toCel(
  { cel }: Compiler,
  device: SelectableDevice,
  driver: string,
  semver: SemverValue,
): ReadonlyMap<string, CelInput> {
  const domains = new Map<string, Map<string, CelInput>>();
  for (const [fullName, value] of Object.entries(device.attributes)) {
    const slash = fullName.indexOf("/");
    const domain = slash < 0 ? driver : fullName.slice(0, slash);
    const ids = domains.get(domain) ?? new Map<string, CelInput>();
    domains.set(domain, ids.set(fullName.slice(slash + 1), valueOfAttribute(value, semver)));
  }
  const none = cel.celMap(new Map());
  const attributes = new DomainMap(none);
  for (const [domain, ids] of domains) attributes.set(domain, cel.celMap(ids));
  return new Map<string, CelInput>([
    ["driver", driver],
    ["allowMultipleAllocations", device.shares !== undefined],
    ["attributes", attributes],
    ["capacity", new DomainMap(none)],
  ]);
}

type SemverValue = (text: string) => Message;

function valueOfAttribute(value: AttributeValue, semver: SemverValue): CelInput {
  if ("string" in value) return value.string;
  if ("int" in value) return BigInt(value.int);
  if ("ints" in value) return value.ints.map(BigInt);
  return "bool" in value ? value.bool : semver(value.version);
}

/** By this the library takes a map as it is, with its own `get`, instead of wrapping it. */
const CEL_MAP: unique symbol = Symbol.for("@bufbuild/cel/map");

/** A domain that is not there reads as an empty one; `in` stays strict. */
class DomainMap extends Map<string, CelMap> {
  readonly [CEL_MAP] = {};
  readonly #none: CelMap;

  constructor(none: CelMap) {
    super();
    this.#none = none;
  }

  override get(domain: string): CelMap {
    return super.get(domain) ?? this.#none;
  }
}

function quote(expression: string): string {
  return expression.length <= 200 ? `\`${expression}\`` : `\`${expression.slice(0, 200)}…\``;
}
