import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FIELDS, SECTIONS } from "../../src/config/field-table.ts";
import { GENERATED } from "./generated.ts";
import { networkConfigSchema, pathsOf, schemaAt } from "./json-schema.ts";

const PROJECT = join(import.meta.dir, "../..");

for (const [path, content] of Object.entries(GENERATED)) {
  test(`${path} is what ./dev generate makes of the schema`, () => {
    expect(readFileSync(join(PROJECT, path), "utf8")).toBe(content());
  });
}

test("the table of fields and the schema have the same fields", () => {
  const inSchema = pathsOf(networkConfigSchema()).filter((path) => ![...SECTIONS, "overridable"].includes(path));
  expect(inSchema.toSorted()).toEqual(Object.keys(FIELDS).toSorted());
});

test("the published schema says what a value may be, and what becomes of it", () => {
  const schema = networkConfigSchema();
  expect(schema).toMatchObject({ additionalProperties: false, type: "object" });
  expect(schemaAt(schema, "interface.mtu")).toMatchObject({
    type: "integer",
    minimum: 68,
    maximum: 0x7fff_ffff,
    "x-netferry": { served: true, setBy: ["ResourceClaim", "DeviceClass"] },
  });
  expect(schemaAt(schema, "interface.arpIgnore")).toMatchObject({ type: "integer", enum: [0, 1, 2, 3, 8] });
  expect(schemaAt(schema, "interface.type")).toMatchObject({
    enum: ["Passthrough", "IPVLAN", "MACVLAN", "VLAN"],
    "x-netferry": { served: true },
  });
  expect(schemaAt(schema, "profile")).toMatchObject({ "x-netferry": { served: true } });
  expect(schemaAt(schema, "ethtool.rings")).toMatchObject({ "x-netferry": { setBy: ["DeviceClass"] } });
  expect(schemaAt(schema, "routes")?.items).toMatchObject({ additionalProperties: false, required: ["destination"] });
  expect(schemaAt(schema, "routes[].destination")).toMatchObject({ type: "string" });
  expect(JSON.stringify(schema)).not.toContain("expects");
});
