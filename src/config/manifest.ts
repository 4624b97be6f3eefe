/** Where a manifest carries configurations and selectors: claims, templates and classes of resource.k8s.io. Pure. */

import { editDistance } from "./nearest.ts";
import type { Problem } from "./zod-problems.ts";

type Path = readonly PropertyKey[];

export interface FoundConfig {
  readonly source: "FromClass" | "FromClaim";
  /** Where its fields begin in the document. */
  readonly path: Path;
  readonly requests: readonly string[];
  readonly parameters: unknown;
}

export interface FoundSelector {
  readonly path: Path;
  readonly expression: string;
}

export interface FoundRequest {
  /** `main`, or `main/sub`. */
  readonly name: string;
  readonly className: string;
}

/** One object that may carry configurations for the driver. */
export interface Carrier {
  /** Of a DeviceClass. */
  readonly className?: string;
  /** The object's place: `items[2]` of a list. */
  readonly path: Path;
  readonly configs: readonly FoundConfig[];
  readonly selectors: readonly FoundSelector[];
  /** Of a claim or template. */
  readonly requests: readonly FoundRequest[];
}

export type Document =
  /** A configuration by itself; whose, it does not say. */
  { readonly bare: unknown } | { readonly carriers: readonly Carrier[]; readonly problems: readonly Problem[] };

/** Kinds → where their devices stand. All versions of resource.k8s.io have them there. */
const CARRIERS: Readonly<Record<string, Path>> = {
  ResourceClaim: ["spec", "devices"],
  ResourceClaimTemplate: ["spec", "spec", "devices"],
  DeviceClass: ["spec"],
};
const KINDS = Object.keys(CARRIERS);

export function readManifest(document: unknown, driver: string): Document {
  if (isObject(document) && document["kind"] === undefined && document["apiVersion"] === undefined) {
    return { bare: document };
  }
  const carriers: Carrier[] = [];
  const problems: Problem[] = [];
  const visit = (object: unknown, path: Path): void => {
    if (!isObject(object)) {
      problems.push({ path, text: "must be an object" });
      return;
    }
    const kind = object["kind"];
    const items = object["items"];
    if (typeof kind === "string" && kind.endsWith("List") && Array.isArray(items)) {
      for (const [index, item] of items.entries()) visit(item, [...path, "items", index]);
    } else if (typeof kind !== "string") {
      problems.push({ path: [...path, "kind"], text: "is required" });
    } else if (CARRIERS[kind] !== undefined) {
      carriers.push(readCarrier(object, kind, CARRIERS[kind], path, driver));
    } else {
      const meant = KINDS.find((known) => editDistance(kind.toLowerCase(), known.toLowerCase(), 3) < 3);
      if (meant !== undefined)
        problems.push({ path: [...path, "kind"], text: `${JSON.stringify(kind)} is no kind (did you mean ${meant}?)` });
    }
  };
  visit(document, []);
  return { carriers, problems };
}

function readCarrier(object: Tree, kind: string, place: Path, path: Path, driver: string): Carrier {
  const isClass = kind === "DeviceClass";
  const devices = at(object, place);
  const here = [...path, ...place];
  const metadata = object["metadata"];
  const name = isObject(metadata) ? metadata["name"] : undefined;
  const requests = isClass
    ? []
    : listOf(devices, "requests").flatMap((request, index) => readRequest(request, [...here, "requests", index]));
  return {
    ...(isClass && typeof name === "string" ? { className: name } : {}),
    path: here,
    configs: listOf(devices, "config").flatMap((entry, index) =>
      readConfig(entry, isClass ? "FromClass" : "FromClaim", [...here, "config", index], driver),
    ),
    selectors: [...(isClass ? selectorsOf(devices, here) : []), ...requests.flatMap(({ selectors }) => selectors)],
    requests: requests.flatMap(({ named }) => named),
  };
}

function readConfig(entry: unknown, source: FoundConfig["source"], path: Path, driver: string): FoundConfig[] {
  const opaque = isObject(entry) ? entry["opaque"] : undefined;
  if (!isObject(opaque) || opaque["driver"] !== driver) return [];
  const requests = listOf(entry, "requests").map(String);
  return [{ source, path: [...path, "opaque", "parameters"], requests, parameters: opaque["parameters"] }];
}

interface ReadRequest {
  readonly named: readonly FoundRequest[];
  readonly selectors: readonly FoundSelector[];
}

/** As v1 and v1beta2 write it, with `exactly` or `firstAvailable`, and as v1beta1, without. */
function readRequest(request: unknown, path: Path): ReadRequest[] {
  if (!isObject(request)) return [];
  const name = String(request["name"]);
  const read = (asked: unknown, own: string, place: Path): ReadRequest => ({
    named: isObject(asked) ? [{ name: own, className: String(asked["deviceClassName"]) }] : [],
    selectors: selectorsOf(asked, place),
  });
  const alternatives = listOf(request, "firstAvailable");
  if (alternatives.length > 0) {
    return alternatives.map((sub, index) =>
      read(sub, `${name}/${isObject(sub) ? String(sub["name"]) : ""}`, [...path, "firstAvailable", index]),
    );
  }
  return [
    isObject(request["exactly"]) ? read(request["exactly"], name, [...path, "exactly"]) : read(request, name, path),
  ];
}

function selectorsOf(holder: unknown, path: Path): FoundSelector[] {
  return listOf(holder, "selectors").flatMap((selector, index) => {
    const expression = at(selector, ["cel", "expression"]);
    const place = [...path, "selectors", index, "cel", "expression"];
    return typeof expression === "string" ? [{ path: place, expression }] : [];
  });
}

type Tree = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[String(key)] : undefined), value);
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = isObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}
