/** The schema that parses configurations, as JSON Schema 2020-12 for editors and other programs. Pure. */

import { z } from "zod";
import { FIELDS, type Field, type FieldPath } from "../../src/config/field-table.ts";
import { classSchema } from "../../src/config/network-config.ts";

export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly [keyword: string]: unknown;
}

const DESCRIPTION = `Configuration of a network device: spec.devices.config[].opaque.parameters of a ResourceClaim or \
ResourceClaimTemplate, spec.config[].opaque.parameters of a DeviceClass. Keys whose value is null count as not given.`;

const SECTIONS: Readonly<Record<string, string>> = {
  interface: "The link's own properties in the pod",
  ethtool: "Settings of the link's driver",
  cpu: "Where the containers that use the device run",
  vf: "What the PF sets for the VF while it is in the pod",
  overridable: "In a DeviceClass only: fields and sections that a claim may set to another value",
};

/** `expects` says in words what a text may be; it is taken out for the published form. */
export function networkConfigSchema({ keepsExpects = false } = {}): JsonSchema {
  const { $schema, ...made } = z.toJSONSchema(classSchema, { io: "input" });
  const described = describe(made as JsonSchema, "", keepsExpects);
  return { $schema, title: "NetworkConfig", ...described, description: DESCRIPTION };
}

/** The part of the schema that is for this field: `routes[].gateway`. */
export function schemaAt(schema: JsonSchema, path: string): JsonSchema | undefined {
  return path.split(".").reduce<JsonSchema | undefined>((at, part) => {
    const inner = at?.properties?.[part.replace("[]", "")];
    return part.endsWith("[]") ? inner?.items : inner;
  }, schema);
}

/** Paths of all fields that the schema has, sections and the items of lists left out. */
export function pathsOf({ properties, items }: JsonSchema, path = ""): readonly string[] {
  const inner = Object.entries(properties ?? {}).flatMap(([key, value]) => {
    const at = path === "" ? key : `${path}.${key}`;
    return [at, ...pathsOf(value, at)];
  });
  return items === undefined ? inner : [...inner, ...pathsOf(items, `${path}[]`)];
}

function describe(schema: JsonSchema, path: string, keepsExpects: boolean): JsonSchema {
  const { expects, propertyNames: _, properties, items, ...rest } = schema;
  const field: Field | undefined = FIELDS[path as FieldPath];
  const description = describeField(field, path);
  return {
    ...(description === undefined ? {} : { description }),
    ...rest,
    ...(keepsExpects && expects !== undefined ? { expects } : {}),
    ...(field?.served === undefined ? {} : { "x-netferry": standing(field) }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([key, inner]) => [
              key,
              describe(inner, path === "" ? key : `${path}.${key}`, keepsExpects),
            ]),
          ),
        }),
    ...(items === undefined ? {} : { items: describe(items, `${path}[]`, keepsExpects) }),
  };
}

function describeField(field: Field | undefined, path: string): string | undefined {
  if (field === undefined) return SECTIONS[path];
  const sentences = [field.text, field.rule, field.served === false ? "not served in this version" : undefined];
  return sentences.filter((sentence) => sentence !== undefined).join("; ");
}

function standing({ served, harmless = [], classOnly }: Field): object {
  return {
    served,
    ...(served === false && harmless.length > 0 ? { accepted: harmless } : {}),
    setBy: classOnly === true ? ["DeviceClass"] : ["ResourceClaim", "DeviceClass"],
  };
}
