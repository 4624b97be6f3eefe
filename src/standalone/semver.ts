/** Semantic versions 2.0.0 (semver.org), without their build metadata, which does not count in comparisons. */

export interface Semver {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly prerelease: readonly string[];
}

const NUMBER = "(0|[1-9]\\d*)";
const STRICT = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-([0-9A-Za-z.-]+))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);

export function parseSemver(text: string): Semver | undefined {
  const found = STRICT.exec(text);
  if (found === null) return undefined;
  const [, major = "", minor = "", patch = "", tail] = found;
  const prerelease = tail?.split(".") ?? [];
  if (prerelease.some((part) => part === "" || /^0\d+$/.test(part))) return undefined;
  return { major: BigInt(major), minor: BigInt(minor), patch: BigInt(patch), prerelease };
}

/** As the API server's `semver(text, true)`: without `v`, with missing parts as 0, without leading zeros. */
export function normalizeSemver(text: string): string {
  const [core = "", ...tail] = text
    .trim()
    .replace(/^v/, "")
    .split(/(?=[-+])/);
  const parts = core.split(".").map((part) => part.replace(/^0+(?=\d)/, ""));
  while (parts.length < 3) parts.push("0");
  return parts.join(".") + tail.join("");
}

export function formatSemver({ major, minor, patch, prerelease }: Semver): string {
  return `${major}.${minor}.${patch}${prerelease.length === 0 ? "" : `-${prerelease.join(".")}`}`;
}

/** Negative, zero or positive, by the precedence of section 11. */
export function compareSemver(left: Semver, right: Semver): number {
  for (const part of ["major", "minor", "patch"] as const) {
    if (left[part] !== right[part]) return left[part] < right[part] ? -1 : 1;
  }
  const [mine, theirs] = [left.prerelease, right.prerelease];
  if (mine.length === 0 || theirs.length === 0) return theirs.length - mine.length;
  for (const [i, identifier] of mine.entries()) {
    const other = theirs[i];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return mine.length - theirs.length;
}

function compareIdentifiers(left: string, right: string): number {
  const [leftIsNumber, rightIsNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
  if (leftIsNumber !== rightIsNumber) return leftIsNumber ? -1 : 1;
  if (leftIsNumber) return BigInt(left) < BigInt(right) ? -1 : BigInt(left) > BigInt(right) ? 1 : 0;
  return left < right ? -1 : left > right ? 1 : 0;
}
