/** The image `localhost/tools:1`: busybox with iproute2, the ping of iputils and the verbs tools, all of one Debian release. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { command } from "./command.ts";
import { ARCHITECTURE } from "./debian-architecture.ts";
import { writeImages } from "./image.ts";
import { busyboxFiles } from "./images.ts";
import { CACHE, debianPackages, type Package } from "./packages.ts";
import type { TarEntry } from "./tar.ts";

export const TOOLS_IMAGE = "localhost/tools:1";

/** By package. */
const PROGRAMS = {
  iproute2: ["ip", "rdma"],
  "iputils-ping": ["ping"],
  "ibverbs-utils": ["ibv_devices", "ibv_devinfo", "ibv_rc_pingpong"],
} as const;
/** What they need. */
const LIBRARIES = [
  "libc6",
  "libbpf1",
  "libbsd0",
  "libcap2",
  "libelf1",
  "libibverbs1",
  "libidn2-0",
  "libmd0",
  "libmnl0",
  "libnl-3-200",
  "libnl-route-3-200",
  "libunistring2",
  "zlib1g",
] as const;
/** libibverbs finds its providers by files in a folder, and loads them from another one. */
const PROVIDERS = "ibverbs-providers";
const PROVIDER_CONFIG = "etc/libibverbs.d";
const SOFTWARE_PROVIDERS = ["rxe", "siw"];

/** The path of its archive, which is kept by what it holds and the versions of the packages. */
export async function toolsImage(busybox: Package): Promise<string> {
  const owners = Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[];
  const packages = await debianPackages("bookworm", [...LIBRARIES, ...owners, PROVIDERS]);
  const parts = [
    PROGRAMS,
    SOFTWARE_PROVIDERS,
    ...[busybox, ...Object.values(packages)].map(({ root }) => basename(root)),
  ];
  const path = join(CACHE, "runtime", `tools_${Bun.hash(JSON.stringify(parts)).toString(16)}.tar`);
  if (existsSync(path)) return path;
  const programs = owners.flatMap((owner) => PROGRAMS[owner].map((name) => programIn(packages[owner], name)));
  const providers = SOFTWARE_PROVIDERS.map((name) => providerIn(packages[PROVIDERS], name));
  const libraries = await librariesOf([...programs, ...providers], packages.libc6, Object.values(packages));
  const names = new Set(programs.map((program) => basename(program)));
  writeImages(path, [
    {
      reference: TOOLS_IMAGE,
      entrypoint: ["/bin/sh"],
      files: [
        ...(await busyboxFiles(busybox, names)),
        ...programs.map((program) => copy("bin", program)),
        ...libraries.map((library) => copy("lib", library)),
        copy("lib64", join(libraryFolder(packages.libc6), ARCHITECTURE.loader)),
        ...providers.map((provider) => copy(`usr/lib/${ARCHITECTURE.triplet}/libibverbs`, provider)),
        ...SOFTWARE_PROVIDERS.map((name) =>
          copy(PROVIDER_CONFIG, join(packages[PROVIDERS].root, PROVIDER_CONFIG, `${name}.driver`)),
        ),
      ],
    },
  ]);
  return path;
}

function copy(folder: string, from: string): TarEntry {
  return { path: `${folder}/${basename(from)}`, bytes: readFileSync(from), mode: 0o755 };
}

function programIn({ root }: Package, name: string): string {
  const found = ["usr/bin", "bin", "usr/sbin", "sbin"].map((folder) => join(root, folder, name)).find(existsSync);
  if (found === undefined) throw new Error(`there is no ${name} in ${root}`);
  return found;
}

function providerIn({ root }: Package, name: string): string {
  const folder = join(root, "usr/lib", ARCHITECTURE.triplet, "libibverbs");
  const found = readdirSync(folder).find((file) => file.startsWith(`lib${name}-rdmav`));
  if (found === undefined) throw new Error(`there is no provider ${name} in ${folder}`);
  return join(folder, found);
}

function libraryFolder({ root }: Package): string {
  return join(root, "lib", ARCHITECTURE.triplet);
}

/** What the loader would load for them, out of the packages alone. */
async function librariesOf(
  programs: readonly string[],
  libc: Package,
  packages: readonly Package[],
): Promise<readonly string[]> {
  const folders = packages.flatMap(({ root }) =>
    ["lib", "usr/lib"].map((folder) => join(root, folder, ARCHITECTURE.triplet)).filter(existsSync),
  );
  const loader = join(libraryFolder(libc), ARCHITECTURE.loader);
  const lists = await Promise.all(
    programs.map((program) => command([loader, "--library-path", folders.join(":"), "--list", program])),
  );
  const found = lists.flatMap((list) => [...list.matchAll(/ => (\/\S+)/g)].map(([, path = ""]) => path));
  const elsewhere = found.filter((path) => !folders.includes(dirname(path)));
  if (elsewhere.length > 0) throw new Error(`in none of the packages: ${elsewhere.join(", ")}`);
  return [...new Set(found)].filter((path) => basename(path) !== ARCHITECTURE.loader);
}
