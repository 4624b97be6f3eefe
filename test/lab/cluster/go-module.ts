/**
 * The `go.mod` with which programs of somebody else's module are built. Pure.
 *
 * `k8s.io/kubernetes` names its staging modules (`k8s.io/api`, …) by folders of its own repository; a module that only
 * requires it has to name their published twins instead: `k8s.io/kubernetes v1.34.4` goes with `k8s.io/api v0.34.4`.
 */

export interface GoModuleRequest {
  /** What our own module is called; nobody imports it. */
  readonly name: string;
  readonly upstream: { readonly path: string; readonly version: string; readonly goMod: string };
  /** Import paths of the programs. `tool` lines keep what they need in `go.mod` when it is tidied. */
  readonly programs: readonly string[];
}

const STAGING = /^\t(\S+) => \.\/staging\/src\/(\S+)$/;

export function goMod(request: GoModuleRequest): string {
  const { upstream } = request;
  const lines = upstream.goMod.split("\n");
  const replaced = lines.flatMap((line) => {
    const found = STAGING.exec(line);
    if (found === null) return [];
    return [`\t${found[1]} => ${found[2]} ${stagingVersion(upstream.version)}`];
  });
  const blocks = [
    `module ${request.name}`,
    ...lines.filter((line) => /^(go|godebug) /.test(line)),
    `require ${upstream.path} ${upstream.version}`,
    block(
      "tool",
      request.programs.map((program) => `\t${program}`),
    ),
    block("replace", replaced),
  ];
  return `${blocks.filter((text) => text !== "").join("\n\n")}\n`;
}

/** The version of `module` that a `go.mod` requires. Throws where it requires none. */
export function requiredVersion(goModText: string, module: string): string {
  const found = goModText.split("\n").map((line) => line.trim().split(/\s+/));
  for (const words of found) {
    const at = words[0] === "require" ? 1 : 0;
    if (words[at] === module && words[at + 1]?.startsWith("v") === true) return words[at + 1] ?? "";
  }
  throw new Error(`go.mod requires no ${module}`);
}

/** The least Go that a `go.mod` takes: `1.26.0`. */
export function requiredGo(goModText: string): string {
  const found = /^go (\S+)$/m.exec(goModText)?.[1];
  if (found === undefined) throw new Error("go.mod has no go line");
  return found;
}

/** Of the versions that a module proxy lists: the newest without a pre-release, of one minor release where one is given. */
export function newestVersion(versions: readonly string[], minor?: string): string | undefined {
  const stable = versions.filter((version) => /^v\d+\.\d+\.\d+$/.test(version));
  const wanted = minor === undefined ? stable : stable.filter((version) => version.startsWith(`v${minor}.`));
  return wanted.toSorted(compareVersions).at(-1);
}

/** Orders `v1.9.10` after `v1.9.9`, with or without the `v`. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.replace(/^v/, "").split(".").map(Number));
  for (let at = 0; at < Math.max(a?.length ?? 0, b?.length ?? 0); at++) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function stagingVersion(version: string): string {
  return version.replace(/^v1\./, "v0.");
}

function block(keyword: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${keyword} (\n${lines.join("\n")}\n)`;
}
