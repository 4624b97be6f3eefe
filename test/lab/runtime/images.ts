/** The two images of the lab: `localhost/pause:1` and `localhost/busybox:1`. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { command } from "./command.ts";
import { imageArchive } from "./image.ts";
import { CACHE, type Package } from "./packages.ts";
import type { TarEntry } from "./tar.ts";

export const PAUSE_IMAGE = "localhost/pause:1";
export const BUSYBOX_IMAGE = "localhost/busybox:1";

/** The path of an archive with both, made from the package busybox-static and kept by its version. */
export async function labImages(busybox: Package): Promise<string> {
  const path = join(CACHE, "runtime", `images_${busybox.version.replaceAll(/[^\w.+-]/g, "_")}.tar`);
  if (existsSync(path)) return path;
  const binary = ["usr/bin/busybox", "bin/busybox"].map((name) => join(busybox.root, name)).find(existsSync);
  if (binary === undefined) throw new Error(`there is no busybox in ${busybox.root}`);
  const base = baseFiles(readFileSync(binary));
  const applets = (await command([binary, "--list"])).trim().split("\n");
  const links = applets
    .filter((applet) => applet !== "busybox")
    .map((applet) => ({ path: `bin/${applet}`, linkTo: "busybox" }));
  const archive = imageArchive([
    // The runtime ends a sandbox with SIGKILL: a process that sleeps is pause enough.
    { reference: PAUSE_IMAGE, entrypoint: ["/bin/busybox", "sleep", "2000000000"], files: base },
    { reference: BUSYBOX_IMAGE, entrypoint: ["/bin/sh"], files: [...base, ...links] },
  ]);
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, archive);
  renameSync(temporary, path);
  return path;
}

function baseFiles(busybox: Uint8Array): TarEntry[] {
  const text = (content: string) => new TextEncoder().encode(content);
  return [
    ...["tmp", "proc", "sys", "dev"].map((path) => ({ path, folder: true as const })),
    { path: "etc/passwd", bytes: text("root:x:0:0:root:/:/bin/sh\n") },
    { path: "etc/group", bytes: text("root:x:0:\n") },
    { path: "bin/busybox", bytes: busybox, mode: 0o755 },
  ];
}
