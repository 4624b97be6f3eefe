/** What the guest starts from: busybox, the modules that reach the host's folders, and two scripts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CpioEntry, cpioArchive } from "./cpio.ts";
import type { Kernel } from "./kernel.ts";
import type { Share } from "./qemu.ts";

/** In the order of loading; one that the kernel has built in is in no file. */
const MODULES = ["netfs", "9pnet", "9pnet_virtio", "9p", "overlay"] as const;
const FOLDERS = ["bin", "m", "proc", "sys", "dev", "lower", "rw", "new"] as const;

/** `shares` are the folders that the guest mounts over its root; the root itself is the share "root". */
export function initramfs(kernel: Kernel, busybox: string, shares: readonly Share[]): Uint8Array {
  const modules = MODULES.flatMap((name) => moduleOf(kernel, name) ?? []);
  const lines = shares.map(
    ({ tag, path, at, writable }) => `${tag} ${writable === true ? "rw" : "ro"} ${at ?? path}\n`,
  );
  return cpioArchive([
    ...FOLDERS.map((path) => ({ path })),
    { path: "bin/busybox", bytes: readFileSync(busybox) },
    ...modules,
    text("modules.list", modules.map(({ path }) => `${path.slice("m/".length, -".ko".length)}\n`).join("")),
    text("shares.list", lines.join("")),
    text("init", readFileSync(join(import.meta.dir, "guest/init.sh"), "utf8")),
    text("agent.sh", readFileSync(join(import.meta.dir, "guest/agent.sh"), "utf8")),
  ]);
}

function text(path: string, content: string): CpioEntry {
  return { path, bytes: Buffer.from(content) };
}

function moduleOf({ modules }: Kernel, name: string): CpioEntry | undefined {
  const dependencies = readFileSync(join(modules, "modules.dep"), "utf8");
  const file = new RegExp(`^(\\S*/${name}\\.ko(?:\\.xz)?):`, "m").exec(dependencies)?.[1];
  if (file === undefined) return undefined;
  const path = join(modules, file);
  return { path: `m/${name}.ko`, bytes: file.endsWith(".xz") ? unxz(path) : readFileSync(path) };
}

function unxz(path: string): Uint8Array {
  const run = Bun.spawnSync(["xz", "-dc", path]);
  if (!run.success) throw new Error(`xz cannot unpack ${path}: ${run.stderr.toString().trim()}`);
  return run.stdout;
}
