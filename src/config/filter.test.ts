import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ConfigError } from "../lib/errors.ts";
import { DEFAULT_FILTER } from "./default-filter.ts";
import { compileCelFilter, compileFilter, type FilterAttributes } from "./filter.ts";

const eth: FilterAttributes = {
  "dra.net/ifName": { string: "eth1" },
  "dra.net/mtu": { int: 9000 },
  "dra.net/rdma": { bool: true },
  "dra.net/type": { string: "device" },
  "dra.net/firmware": { version: "1.2.3" },
};

async function problem(source: string): Promise<string> {
  const error = await compileFilter(source).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  const { message } = error as ConfigError;
  expect(message).toStartWith("--filter: ");
  expect(message).not.toContain("\n");
  return message;
}

describe("compileFilter()", () => {
  const cases: [string, boolean][] = [
    ["", true],
    [DEFAULT_FILTER, true],
    ['attributes["dra.net/mtu"].IntValue > 1500', true],
    ['attributes["dra.net/mtu"].IntValue == 1500', false],
    ['attributes["dra.net/rdma"].BoolValue', true],
    ['attributes["dra.net/ifName"].StringValue.startsWith("eth")', true],
    ['attributes["dra.net/ifName"].StringValue.matches("^ib[0-9]+$")', false],
    ['attributes["dra.net/firmware"].VersionValue == "1.2.3"', true],
    ['"dra.net/sriov" in attributes && attributes["dra.net/sriov"].BoolValue', false],
    ['attributes.exists(name, name.endsWith("/rdma"))', true],
    // A member without a value is null.
    ['attributes["dra.net/mtu"].StringValue == null', true],
    ['attributes["dra.net/mtu"].StringValue != "veth"', true],
  ];
  for (const [source, keep] of cases) {
    test(`${keep ? "keeps" : "drops"} eth1 by ${source || "an empty filter"}`, async () => {
      const filter = await compileFilter(source);
      expect(filter(eth)).toEqual({ keep });
    });
  }

  test("keeps a device for which the expression fails, and tells why", async () => {
    const filter = await compileFilter('attributes["dra.net/sriov"].BoolValue');
    expect(filter(eth)).toEqual({ keep: true, problem: expect.stringContaining("dra.net/sriov") });
  });

  test("drops a device for which the expression is no bool", async () => {
    const filter = await compileFilter('attributes["dra.net/ifName"].StringValue');
    expect(filter(eth)).toEqual({ keep: false, problem: "the expression is neither true nor false" });
  });

  test("drops veths by default", async () => {
    const filter = await compileFilter(DEFAULT_FILTER);
    expect(filter({ "dra.net/type": { string: "veth" } }).keep).toBe(false);
    expect(filter({}).keep).toBe(true);
  });

  test("refuses at once what it could not evaluate later, by name", async () => {
    expect(await problem('attributes["x"].StringValue ==')).toContain("is not a CEL expression");
    expect(await problem("device.driver")).toContain('"device" is not a variable here, only attributes');
    expect(await problem('attributes["x"].string == "y"')).toContain(
      'attributes[…] has no field "string", only IntValue',
    );
    expect(await problem('attributes["x"].StringValue.nothing()')).toContain(
      '"nothing" with these arguments needs the scheduler',
    );
    expect(await problem('sets.contains([1], [attributes["x"].IntValue])')).toContain('"sets.contains"');
    expect(await problem('attributes[?"x"].orValue(1)')).toContain('"[?" needs the scheduler');
    expect(await problem("x".repeat(20_000))).toContain("is longer than 10240 bytes");
  });

  test("answers for the default as the CEL library does", async () => {
    const [fast, slow] = await Promise.all([compileFilter(DEFAULT_FILTER), compileCelFilter(DEFAULT_FILTER)]);
    const attribute = fc.oneof(
      fc.record({ string: fc.constantFrom("veth", "device", "") }),
      fc.record({ int: fc.integer() }),
      fc.record({ bool: fc.boolean() }),
      fc.record({ version: fc.constantFrom("veth", "1.0.0") }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("dra.net/type", "dra.net/ifName"), attribute), (attributes) => {
        expect(fast(attributes)).toEqual(slow(attributes));
      }),
    );
  });
});
