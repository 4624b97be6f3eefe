/** The Bun binary that an executable of another architecture is made from: pinned, verified, kept in `.cache`. */

import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./architecture.ts";
import { runCommand } from "./command.ts";
import pins from "./pins.json";

const OWN: Readonly<Record<string, Architecture>> = { x64: "amd64", arm64: "arm64" };

/** Path of the runtime; undefined where the running Bun is the one to use. */
export async function bunRuntime(architecture: Architecture, cache: string): Promise<string | undefined> {
  if (OWN[process.arch] === architecture) return undefined;
  const { package: name, integrity } = pins.bun[architecture];
  const folder = join(cache, "bun-runtime", name.replaceAll("/", "-"));
  const binary = join(folder, "package/bin/bun");
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const packed = await runCommand(["npm", "pack", "--silent", name, "--pack-destination", folder]);
  const archive = join(folder, packed.trim().split("\n").at(-1) ?? "");
  const digest = new Bun.CryptoHasher("sha512").update(await Bun.file(archive).bytes()).digest("base64");
  if (`sha512-${digest}` !== integrity) {
    throw new Error(`${name} has the integrity sha512-${digest}, the pin says ${integrity}; nothing is built from it.`);
  }
  // Unpacked beside and renamed, so that a build which was stopped leaves no half binary.
  const unpacked = join(folder, "unpacked");
  mkdirSync(unpacked, { recursive: true });
  await runCommand(["tar", "-xzf", archive, "-C", unpacked, "package/bin/bun"]);
  renameSync(join(unpacked, "package"), join(folder, "package"));
  return binary;
}
