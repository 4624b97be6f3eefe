import { expect, test } from "bun:test";
import fc from "fast-check";
import { ConfigError } from "../lib/errors.ts";
import { parseStrictJson } from "./strict-json.ts";

function problem(text: string): string {
  try {
    parseStrictJson(text, "config");
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error(`accepted: ${text}`);
}

test("parseStrictJson() names the key that is given twice by its path", () => {
  expect(problem('{"interface": {"mtu": 1500, "mtu": 9000}}')).toBe("config.interface.mtu: is given twice");
  expect(problem('{"routes": [{}, {"table": 1, "t\\u0061ble": 2}]}')).toBe("config.routes[1].table: is given twice");
  expect(problem('{"__proto__": {}}')).toBe("config.__proto__: is not a possible key");
});

test("parseStrictJson() takes the same key in two objects, and keys of Object.prototype", () => {
  expect(parseStrictJson('[{"a":1},{"a":2}]', "")).toEqual([{ a: 1 }, { a: 2 }]);
  expect(parseStrictJson('{"toString":1,"constructor":2}', "")).toEqual({ toString: 1, constructor: 2 } as object);
});

test("parseStrictJson() refuses what is not JSON and says where", () => {
  expect(problem("")).toBe("config: ends too early");
  expect(problem('{"a": 1')).toBe("config: ends too early");
  expect(problem('{"a": }')).toBe('config.a: unexpected "}" at character 7');
  expect(problem("[1,]")).toBe('config[1]: unexpected "]" at character 4');
  for (const text of ["01", "1 2", "nul", "'a'", "{a:1}", '"\n"', '"\\x"', "[1 2]", "+1", ".5", "NaN"]) problem(text);
});

test("parseStrictJson() refuses deep nesting instead of ending the stack", () => {
  expect(problem("[".repeat(100_000))).toContain("is nested deeper than 64 levels");
});

test("parseStrictJson() agrees with JSON.parse on every value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 1, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      fc.pre(!text.includes('"__proto__":'));
      expect(parseStrictJson(text, "")).toEqual(JSON.parse(text));
    }),
  );
});

test("parseStrictJson() takes nothing that JSON.parse refuses", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[],:"\\a1e-. \ntrue'), maxLength: 12 }), (text) => {
      let value: unknown;
      try {
        value = parseStrictJson(text, "");
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        return;
      }
      expect(value).toEqual(JSON.parse(text));
    }),
    { numRuns: 2000 },
  );
});
