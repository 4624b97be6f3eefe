/** The low-level runtimes that pods of the lab can run with. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import { CACHE, debianPackages, type Package } from "./packages.ts";

/** `runc` is 1.1 (what old nodes have), `runc143` and `crun` know `linux.netDevices`. */
export type OciRuntime = "runc" | "runc143" | "crun";

const TRIPLET = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
const LOADER = process.arch === "arm64" ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2";
/** What runc 1.4 and crun of sid are linked with. */
const LIBRARIES = ["libc6", "libseccomp2", "libblake3-0", "libcap2", "libjson-c5", "libsystemd0", "libgcc-s1"] as const;

/** The path of the program, and its version. */
export async function ociRuntime(runtime: OciRuntime): Promise<{ readonly path: string; readonly version: string }> {
  if (runtime === "runc") {
    const { runc } = await debianPackages("bookworm", ["runc"]);
    return { path: join(runc.root, "usr/sbin/runc"), version: runc.version };
  }
  if (runtime === "runc143") {
    const { runc } = await debianPackages("experimental", ["runc"]);
    return { path: await withSidLibraries("runc", runc, "usr/sbin/runc"), version: runc.version };
  }
  const { crun } = await debianPackages("sid", ["crun"]);
  return { path: inCgroupV1(await withSidLibraries("crun", crun, "usr/bin/crun")), version: crun.version };
}

/**
 * A copy of a program of sid that runs on an older Debian, with sid's libc beside it. A wrapper around ld.so would not
 * do: runc executes /proc/self/exe again.
 */
async function withSidLibraries(name: string, program: Package, file: string): Promise<string> {
  const folder = join(CACHE, "runtime", `${name}_${program.version.replaceAll(/[^\w.+-]/g, "_")}`);
  const path = join(folder, name);
  if (existsSync(path)) return path;
  const libraries = await debianPackages("sid", LIBRARIES);
  const { patchelf } = await debianPackages("bookworm", ["patchelf"]);
  mkdirSync(folder, { recursive: true });
  for (const { root } of Object.values(libraries)) {
    const from = join(root, "usr/lib", TRIPLET);
    const files = readdirSync(from).filter((file) => file.includes(".so"));
    for (const file of files) copyFileSync(join(from, file), join(folder, file));
  }
  const patched = `${path}.${process.pid}`;
  copyFileSync(join(program.root, file), patched);
  chmodSync(patched, 0o755);
  const interpreter = ["--set-interpreter", join(folder, LOADER)];
  await command([
    join(patchelf.root, "usr/bin/patchelf"),
    ...interpreter,
    "--force-rpath",
    "--set-rpath",
    folder,
    patched,
  ]);
  renameSync(patched, path);
  return path;
}

/** crun refuses a host with cgroup v1 whose v2 hierarchy has controllers too: hide that one from it. */
function inCgroupV1(crun: string): string {
  const unified = "/sys/fs/cgroup/unified";
  if (!existsSync(`${unified}/cgroup.controllers`)) return crun;
  if (readFileSync(`${unified}/cgroup.controllers`, "utf8").trim() === "") return crun;
  const wrapper = `${crun}-without-v2`;
  const script = `#!/bin/sh\nexec unshare -m sh -c 'umount ${unified}; exec ${crun} "$@"' crun "$@"\n`;
  writeFileSync(wrapper, script, { mode: 0o755 });
  return wrapper;
}
