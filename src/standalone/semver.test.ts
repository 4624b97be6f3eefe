import { expect, test } from "bun:test";
import { compareSemver, formatSemver, normalizeSemver, parseSemver, type Semver } from "./semver.ts";

const version = (text: string): Semver => parseSemver(text) ?? expect.unreachable(text);

test("compareSemver() has the order of semver.org, section 11", () => {
  const ascending = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
  ];
  for (const [i, left] of ascending.entries()) {
    for (const [j, right] of ascending.entries())
      expect(Math.sign(compareSemver(version(left), version(right)))).toBe(Math.sign(i - j));
  }
  expect(compareSemver(version("1.0.0+a"), version("1.0.0+b"))).toBe(0);
});

test("parseSemver() takes versions 2.0.0 only, and formatSemver() writes them without build metadata", () => {
  expect(formatSemver(version("1.2.3-a.1+b.2"))).toBe("1.2.3-a.1");
  for (const text of ["1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", " 1.2.3"])
    expect(parseSemver(text)).toBeUndefined();
});

test("normalizeSemver() fills what is missing and drops what is too much", () => {
  expect(["v1", "1.2", "01.02.03", "1-rc.1", "v1.2+b"].map(normalizeSemver)).toEqual([
    "1.0.0",
    "1.2.0",
    "1.2.3",
    "1.0.0-rc.1",
    "1.2.0+b",
  ]);
});
