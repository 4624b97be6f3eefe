/** Debian's kernels, unpacked: one that is current, and the one of the stable release. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../runtime/command.ts";
import { aptWorkspace } from "../runtime/packages.ts";
import { makeFolder, VM_CACHE } from "./cache.ts";
import { BACKPORTS, RELEASE } from "./debian-root.ts";
import { addModules } from "./kernel-modules.ts";
import { unpackKernel } from "./unpack-kernel.ts";

/** `k73` is what the backports have, 7.3 or newer; it alone gets the modules that Debian does not build. */
export type KernelName = "k73" | "k612";

export interface Kernel {
  /** `7.3.4+deb13-amd64` */
  readonly release: string;
  /** The uncompressed image: QEMU starts it directly, without seconds of unpacking in an emulated processor. */
  readonly image: string;
  /** The folder of its modules, `…/usr/lib/modules/RELEASE`. */
  readonly modules: string;
}

const SUITES: Readonly<Record<KernelName, string>> = { k73: BACKPORTS, k612: RELEASE };
const APT_LIMIT_MS = 10 * 60_000;

/** Fetches it where the cache has none: the newest one then, since Debian keeps no older ones. */
export async function debianKernel(name: KernelName): Promise<Kernel> {
  const pointer = join(VM_CACHE, `${name}.release`);
  const known = existsSync(pointer) ? readFileSync(pointer, "utf8") : "";
  if (known !== "" && existsSync(folderOf(known))) return kernelOf(known);
  const work = mkdtempSync(join(tmpdir(), "netferry-kernel-"));
  try {
    const release = await fetchKernel(name, work);
    writeFileSync(join(work, "release"), release);
    renameSync(join(work, "release"), pointer);
    return kernelOf(release);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function folderOf(release: string): string {
  return join(VM_CACHE, `kernel-${release}`);
}

function kernelOf(release: string): Kernel {
  const folder = folderOf(release);
  return { release, image: join(folder, "vmlinux"), modules: join(folder, "usr/lib/modules", release) };
}

async function fetchKernel(name: KernelName, work: string): Promise<string> {
  const suite = SUITES[name];
  const apt = await aptWorkspace([RELEASE, BACKPORTS], work);
  await command(["apt-get", ...apt, "update"], { limitMs: APT_LIMIT_MS });
  const release = await newestRelease(apt, suite);
  if (existsSync(folderOf(release))) return release;
  const packages = (await packagesOf(apt, release)).map((at) => `${at}/${suite}`);
  await command(["apt-get", ...apt, "download", ...packages], { cwd: work, limitMs: APT_LIMIT_MS });
  await makeFolder(folderOf(release), async (folder) => {
    for (const deb of new Bun.Glob("*.deb").scanSync({ cwd: work, absolute: true }))
      await command(["dpkg-deb", "-x", deb, folder]);
    // depmod and the kernel's own scripts look below /lib.
    if (!existsSync(join(folder, "lib"))) symlinkSync("usr/lib", join(folder, "lib"));
    unpackKernel(folder, join(folder, "vmlinux"));
    if (name === "k73") await addModules(release, join(folder, "usr/lib/modules", release));
    await command(["/sbin/depmod", "-b", folder, release]);
  });
  return release;
}

/** The release is in the name of the package that `linux-image-amd64` of the suite stands for. */
async function newestRelease(apt: readonly string[], suite: string): Promise<string> {
  const shown = await command(["apt-cache", ...apt, "show", `linux-image-amd64/${suite}`]);
  const release = /^Depends:.*?\blinux-image-([^ ,]+)/m.exec(shown)?.[1];
  if (release === undefined) throw new Error(`linux-image-amd64 of ${suite} depends on no linux-image package`);
  return release;
}

/** Newer kernels come in three packages. */
async function packagesOf(apt: readonly string[], release: string): Promise<string[]> {
  const names = (await command(["apt-cache", ...apt, "pkgnames", "linux-modules-"])).split("\n");
  if (!names.includes(`linux-modules-${release}`)) return [`linux-image-${release}`];
  return ["binary", "modules", "base"].map((part) => `linux-${part}-${release}`);
}
