import { expect, test } from "bun:test";
import fc from "fast-check";
import { ClaimError, ConfigError } from "../lib/errors.ts";
import { FIELDS } from "./field-table.ts";
import { configFor } from "./merge.ts";
import { parseNetworkConfig } from "./network-config.ts";
import { problems } from "./testing.ts";

/** For 10 KiB, whatever is in them. */
const LIMIT_MS = 50;

test("answers any JSON with a configuration or problems, soon", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(...Object.keys(FIELDS)), (value, path) => {
      const nested = path
        .split(".")
        .toReversed()
        .reduce<unknown>(
          (inner, key) => (key.endsWith("[]") ? { [key.slice(0, -2)]: [inner] } : { [key]: inner }),
          value,
        );
      for (const given of [value, nested]) {
        try {
          parseNetworkConfig(given, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }
    }),
    { numRuns: 500 },
  );
  const worst: unknown[] = [
    { interface: { ["x".repeat(10_000)]: 1 } },
    { interface: Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`mtu${i}`, i])) },
    { routes: Array.from({ length: 300 }, () => ({ destination: "10.0.0.300/8", gateway: "::" })) },
    { interface: { addresses: Array.from({ length: 900 }, () => ":".repeat(8)) } },
    { interface: { name: "a".repeat(10_000), hardwareAddr: "0".repeat(10_000) } },
  ];
  for (const value of worst) {
    expect(problems(value).length).toBeGreaterThan(0);
    // Time of the processor, the best of three: the machine may have other work.
    const took = [1, 2, 3].map(() => {
      const before = process.cpuUsage();
      problems(value);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    expect(Math.min(...took)).toBeLessThan(LIMIT_MS);
  }
});

test("configFor() answers any entries with a configuration or a ClaimError", () => {
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.boolean(),
    fc.nat(),
    fc.constantFrom("10.0.0.1/24", "::/0", "net1"),
  );
  const fields = fc.constantFrom(...Object.keys(FIELDS).filter((path) => !path.includes("[]")));
  const parameters = fc
    .array(fc.tuple(fields, value), { maxLength: 5 })
    .map((given) => given.reduce<object>((config, [path, one]) => withValue(config, path.split("."), one), {}));
  const entry = fc.record({
    source: fc.constantFrom("FromClass" as const, "FromClaim" as const),
    requests: fc.constantFrom([], ["main"]),
    parameters,
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 4 }), (entries) => {
      try {
        const merged = configFor(entries, "main");
        // What comes out is a configuration of its own.
        expect(parseNetworkConfig(merged, "merged")).toEqual(merged);
      } catch (error) {
        expect(error).toBeInstanceOf(ClaimError);
      }
    }),
    { numRuns: 1000 },
  );
});

function withValue(config: object, [key = "", ...rest]: readonly string[], value: unknown): object {
  const inner: unknown = Reflect.get(config, key);
  const below = typeof inner === "object" && inner !== null ? inner : {};
  return { ...config, [key]: rest.length === 0 ? value : withValue(below, rest, value) };
}
