/**
 * Writes `go/kubernetes-1.NN`, `go/containerd`, `go/helm` and `go/dranet`:
 * `bun test/lab/cluster/generate.ts [1.NN | containerd | helm | dranet]...`.
 * Takes the newest patch that the module proxy offers. Without arguments: the releases that are there, the newest minor
 * that the proxy has, and the others.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { goMod, newestVersion, requiredGo } from "./go-module.ts";
import { goCommand } from "./go-toolchain.ts";
import {
  CONTAINERD,
  containerdDir,
  containerdPrograms,
  DRANET,
  DRANET_VERSION,
  dranetDir,
  dranetPrograms,
  HELM,
  helmDir,
  helmPrograms,
  KUBERNETES,
  kubernetesDir,
  kubernetesPrograms,
  releases,
} from "./modules.ts";
import { run } from "./run.ts";

const LIMIT_MS = 10 * 60_000;

const wanted = process.argv.length > 2 ? process.argv.slice(2) : await everything();
for (const what of wanted) {
  if (what === "containerd") {
    const version = newestVersion(await versionsOf(CONTAINERD));
    await generate(containerdDir, CONTAINERD, version, containerdPrograms);
  } else if (what === "helm") {
    await generate(helmDir, HELM, newestVersion(await versionsOf(HELM)), helmPrograms);
  } else if (what === "dranet") {
    await generate(dranetDir, DRANET, DRANET_VERSION, dranetPrograms);
  } else {
    const version = newestVersion(await versionsOf(KUBERNETES), what);
    await generate(kubernetesDir(what), KUBERNETES, version, kubernetesPrograms);
  }
}

async function everything(): Promise<string[]> {
  const newest = newestVersion(await versionsOf(KUBERNETES))
    ?.split(".")
    .slice(0, 2)
    .join(".")
    .slice(1);
  return [...new Set([...releases(), ...(newest === undefined ? [] : [newest]), "containerd", "helm", "dranet"])];
}

async function generate(
  dir: string,
  path: string,
  version: string | undefined,
  programs: Readonly<Record<string, string>>,
): Promise<void> {
  if (version === undefined) throw new Error(`The module proxy lists no such release of ${path}.`);
  const answer = await go(["mod", "download", "-json", `${path}@${version}`]);
  const { GoMod: file } = JSON.parse(answer) as { GoMod: string };
  const upstream = { path, version, goMod: readFileSync(file, "utf8") };
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const text = goMod({ name: "netferry.dev/lab", upstream, programs: Object.values(programs) });
  writeFileSync(join(dir, "go.mod"), text);
  await go(["mod", "tidy"], dir, requiredGo(text));
  console.log(`${dir}: ${path} ${version}`);
}

async function versionsOf(path: string): Promise<string[]> {
  return (await go(["list", "-m", "-versions", path])).trim().split(" ").slice(1);
}

async function go(args: readonly string[], cwd = tmpdir(), least = "1.24"): Promise<string> {
  const { argv, env } = await goCommand(least);
  return await run([...argv, ...args], { cwd, env: { ...env, GOFLAGS: "-mod=mod" }, limitMs: LIMIT_MS });
}
