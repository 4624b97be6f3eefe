/** The images of both labs: `localhost/pause:1` and `localhost/busybox:1`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import { writeImages } from "./image.ts";
import { CACHE, type Package } from "./packages.ts";
import type { TarEntry } from "./tar.ts";

export const PAUSE_IMAGE = "localhost/pause:1";
export const BUSYBOX_IMAGE = "localhost/busybox:1";

/** The path of an archive with both, made from the package busybox-static and kept by its version. */
export async function labImages(busybox: Package): Promise<string> {
  const path = join(CACHE, "runtime", `images_${busybox.version.replaceAll(/[^\w.+-]/g, "_")}.tar`);
  if (existsSync(path)) return path;
  writeImages(path, [
    // The runtime ends a sandbox with SIGKILL: a process that sleeps is pause enough.
    { reference: PAUSE_IMAGE, entrypoint: ["/bin/busybox", "sleep", "2000000000"], files: baseFiles(busybox) },
    { reference: BUSYBOX_IMAGE, entrypoint: ["/bin/sh"], files: await busyboxFiles(busybox) },
  ]);
  return path;
}

/** Busybox and its applets by name, but for those that something else is to be in place of. */
export async function busyboxFiles(busybox: Package, without: ReadonlySet<string> = new Set()): Promise<TarEntry[]> {
  const applets = (await command([binaryIn(busybox), "--list"])).trim().split("\n");
  const links = applets
    .filter((applet) => applet !== "busybox" && !without.has(applet))
    .map((applet) => ({ path: `bin/${applet}`, linkTo: "busybox" }));
  return [...baseFiles(busybox), ...links];
}

function binaryIn({ root }: Package): string {
  const binary = ["usr/bin/busybox", "bin/busybox"].map((name) => join(root, name)).find(existsSync);
  if (binary === undefined) throw new Error(`there is no busybox in ${root}`);
  return binary;
}

function baseFiles(busybox: Package): TarEntry[] {
  const text = (content: string) => new TextEncoder().encode(content);
  return [
    ...["tmp", "proc", "sys", "dev"].map((path) => ({ path, folder: true as const })),
    { path: "etc/passwd", bytes: text("root:x:0:0:root:/:/bin/sh\n") },
    { path: "etc/group", bytes: text("root:x:0:\n") },
    { path: "bin/busybox", bytes: readFileSync(binaryIn(busybox)), mode: 0o755 },
  ];
}
