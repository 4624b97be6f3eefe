import type { RuntimeInfo } from "./handlers.ts";

/** The first releases with `LinuxNetDevice` in NRI, which is 0.11. */
const SINCE: Readonly<Record<string, readonly number[]>> = { containerd: [2, 2, 1], "cri-o": [1, 35, 0] };
const NRI_SINCE = [0, 11, 0];

/** Why this runtime cannot be told to move links, or `undefined`. */
export function netDevicesProblem(runtime: RuntimeInfo | undefined): string | undefined {
  if (runtime === undefined)
    return "--attach=oci: netferry is not registered with the container runtime, so whether that moves links is not known";
  const { name, version, nriVersion } = runtime;
  const since = SINCE[name];
  // Runtimes tell the version of their NRI since 0.12; before, theirs stands for it.
  const offers =
    nriVersion !== undefined ? isAtLeast(nriVersion, NRI_SINCE) : since !== undefined && isAtLeast(version, since);
  if (offers) return undefined;
  return `--attach=oci: ${name} ${version} moves no links at the word of an NRI plugin (containerd 2.2.1, CRI-O 1.35 and later do): update it, or run netferry with --attach=netlink`;
}

function isAtLeast(version: string, least: readonly number[]): boolean {
  const found = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (found === null) return false;
  for (const [i, wanted] of least.entries()) {
    const part = Number(found[i + 1] ?? 0);
    if (part !== wanted) return part > wanted;
  }
  return true;
}
