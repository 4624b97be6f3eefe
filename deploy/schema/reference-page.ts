/** docs/networkconfig.md from the schema and the table of fields. Pure. */

import { STRICT } from "../../src/config/authority.ts";
import { FIELDS, type Field, RESERVED } from "../../src/config/field-table.ts";
import { type JsonSchema, networkConfigSchema, schemaAt } from "./json-schema.ts";

const HEAD = `# The configuration of a device

What stands under \`opaque.parameters\` of a claim or DeviceClass, as JSON or YAML. It is DRANET's, with additions. The
machine-readable form is [networkconfig.schema.json](../deploy/schema/networkconfig.schema.json); \`netferry validate -f FILE\`
checks a file with such a configuration, or a manifest that carries one. A file with a configuration alone is judged as all
that a claim gets, fields of a DeviceClass and rules across fields included; with \`overridable\`, which may be \`[]\`, as a
DeviceClass's, to which a claim may add.

- Unknown keys and keys given twice are refused. All problems are reported at once, each with its path.
- \`null\` means "not given", as does the empty text for a name, type, gateway or source. \`false\` and \`0\` are values.
- What this version does not serve is refused when the claim is prepared, unless its value asks for nothing.
- Entries of the DeviceClass and of the claim both apply. What the class sets is final: a claim that says otherwise is
  refused, unless the class lists the field or its section under \`overridable\`. Lists are merged: addresses and rules by
  value, routes by destination and table, neighbours by destination.
- An entry for the request \`main\` is for \`main/sub\` too.
- Without \`interface.addresses\` the link keeps what it has on the host: permanent addresses of global scope, the routes that
  these can carry (of a multipath route its own hops), rules that point to tables of those routes, permanent neighbours.
  Configured routes replace those with the same destination and table. A link that stands on the device (\`interface.type\`)
  keeps nothing of it, and a VRF takes all routes into its own table: see [sub-interfaces.md](sub-interfaces.md).
- Fields marked *class* have an effect beyond the pod; \`--claim-may-set\` opens them to claims. \`--strict-claims\` closes those
  marked *strict*.
`;

export function referencePage(): string {
  const schema = networkConfigSchema({ keepsExpects: true });
  const rows = Object.entries(FIELDS).map(([path, field]) => row(path, field, schemaAt(schema, path) ?? {}));
  const table = [
    ["field", "what it does", "type", "rule", "set by", "served"],
    ["---", "---", "---", "---", "---", "---"],
    ...rows,
  ];
  return `${HEAD}\n${table.map((cells) => `| ${cells.join(" | ")} |\n`).join("")}\n${reserved()}`;
}

function row(path: string, field: Field, schema: JsonSchema): string[] {
  const isWhole = field.served !== undefined;
  return [
    `\`${path}\``,
    field.text,
    typeName(schema),
    [limits(schema), field.rule].filter((rule) => rule !== undefined).join("; "),
    isWhole ? setBy(path, field) : "",
    isWhole ? served(field) : "",
  ].map((cell) => cell.replaceAll("|", "\\|"));
}

function typeName({ type, items }: JsonSchema): string {
  switch (type) {
    case "string":
      return "text";
    case "integer":
      return "whole number";
    case "boolean":
      return "true or false";
    case "array":
      return items?.type === "object" ? "list" : `list of ${items === undefined ? "values" : typeName(items)}s`;
    default:
      return "object";
  }
}

const HIGHEST = [0x7fff_ffff, 0xffff_ffff];

function limits({ enum: values, minimum, maximum, expects, items }: JsonSchema): string | undefined {
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(", ");
  if (minimum !== undefined) {
    return maximum === undefined || HIGHEST.includes(maximum) ? `${minimum} or more` : `${minimum} to ${maximum}`;
  }
  if (typeof expects === "string") return expects;
  return items === undefined || items.type === "object" ? undefined : limits(items);
}

function setBy(path: string, { classOnly }: Field): string {
  if (classOnly === true) return "class";
  return STRICT.has(path) ? "claim, class; strict" : "claim, class";
}

function served({ served, harmless = [] }: Field): string {
  if (served === true) return "yes";
  const accepted = harmless.map((value) => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``);
  return accepted.length === 0 ? "no" : `no; ${accepted.join(", ")} may stand`;
}

function reserved(): string {
  const names = Object.entries(RESERVED).flatMap(([section, keys]) =>
    keys.map((key) => `\`${section === "" ? key : `${section}.${key}`}\``),
  );
  return `Reserved for later versions, and refused: ${names.join(", ")}.\n`;
}
