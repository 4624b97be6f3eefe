/** Modules that Debian's configuration leaves out, built from its own sources: Soft-iWARP, and devices that simulate. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../runtime/command.ts";
import { makeDebianRoot } from "./debian-root.ts";

interface OutOfTreeModule {
  readonly name: string;
  /** In the kernel's source. */
  readonly folder: string;
  /** Without `CONFIG_`. */
  readonly option: string;
}

const MODULES: readonly OutOfTreeModule[] = [
  { name: "netdevsim", folder: "drivers/net/netdevsim", option: "NETDEVSIM" },
  { name: "siw", folder: "drivers/infiniband/sw/siw", option: "RDMA_SIW" },
];
const BUILD_LIMIT_MS = 15 * 60_000;

/** Builds them with the headers, the sources and the compiler that the kernel came from, and puts them into `extra/`. */
export async function addModules(release: string, modulesFolder: string): Promise<void> {
  const version = /^\d+\.\d+/.exec(release)?.[0] ?? "";
  const work = mkdtempSync(join(tmpdir(), "netferry-modules-"));
  const root = join(work, "root");
  try {
    const headers = [`linux-headers-${release}`, `linux-source-${version}`];
    const tools = ["gcc-14", "make", "libc6-dev", "xz-utils", "kmod", "bc", "libelf-dev"];
    await makeDebianRoot({ name: "build", variant: "apt", packages: [...tools, ...headers] }, root);
    const source = `linux-source-${version}`;
    const tar = ["tar", "-C", root, "-xJf", join(root, "usr/src", `${source}.tar.xz`)];
    await command([...tar, ...MODULES.map(({ folder }) => `${source}/${folder}`)], { limitMs: BUILD_LIMIT_MS });
    mkdirSync(join(modulesFolder, "extra"), { recursive: true });
    for (const { name, folder, option } of MODULES) {
      const flags = `KCFLAGS=-DCONFIG_${option}=1 -DCONFIG_${option}_MODULE=1`;
      const make = ["make", "-s", "-j2", "-C", `/usr/src/linux-headers-${release}`, `M=/${source}/${folder}`];
      // objtool of newer kernels reads /proc/self.
      const inRoot = [
        "unshare",
        "--mount",
        "--fork",
        "sh",
        "-c",
        'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"',
      ];
      await command([...inRoot, root, ...make, `CONFIG_${option}=m`, flags, "modules"], { limitMs: BUILD_LIMIT_MS });
      const built = join(source, folder, `${name}.ko`);
      await command(["chroot", root, "strip", "-g", `/${built}`]);
      copyFileSync(join(root, built), join(modulesFolder, "extra", `${name}.ko`));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
