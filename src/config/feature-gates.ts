/** `--feature-gates` as DRANET has it: k8s.io/component-base featuregate on its two gates, both alpha and off. */

import { parseBoolean } from "./flag.ts";
import { suggestion } from "./nearest.ts";

export interface FeatureGates {
  /** `resource.kubernetes.io/numaNode` is a list. The API server needs the gate of the same name. */
  readonly DRAListTypeAttributes: boolean;
  /**
   * What is published of an allocated device does not change with it. That is how netferry works always: the gate is
   * known so that it may be given.
   */
  readonly PersistentResourceSliceAttributes: boolean;
}

const DEFAULTS: FeatureGates = { DRAListTypeAttributes: false, PersistentResourceSliceAttributes: false };
const NAMES = Object.keys(DEFAULTS) as (keyof FeatureGates)[];
/** Gates for all of one stage, which every Kubernetes component knows. There is no beta gate here. */
const STAGES = ["AllAlpha", "AllBeta"] as const;

/** `Gate=true,Other=false`. A gate named by itself counts, whatever AllAlpha says. Throws an Error that completes `"value" …`. */
export function parseFeatureGates(text: string): FeatureGates {
  const given = new Map<string, boolean>();
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const [name = "", value] = entry.split("=", 2).map((part) => part.trim());
    const known = [...NAMES, ...STAGES];
    if (!known.some((gate) => gate === name))
      throw new Error(
        `holds ${JSON.stringify(name)}, which is no feature gate of netferry${suggestion(name, known) || `: there are ${NAMES.join(" and ")}`}`,
      );
    if (value === undefined) throw new Error(`gives ${name} no value; write ${name}=true or ${name}=false`);
    given.set(name, gateValue(name, value));
  }
  const all = given.get("AllAlpha");
  const entries = NAMES.map((name) => [name, given.get(name) ?? all ?? DEFAULTS[name]] as const);
  return Object.freeze(Object.fromEntries(entries)) as unknown as FeatureGates;
}

function gateValue(name: string, value: string): boolean {
  try {
    return parseBoolean(value);
  } catch (cause) {
    throw new Error(`gives ${name} the value ${JSON.stringify(value)}, which is not true or false`, { cause });
  }
}
