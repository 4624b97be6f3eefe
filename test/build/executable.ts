/** How the tests of the executables find and run them. `./dev test kernel` builds them first. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ARCHITECTURES, type Architecture, elfMachine } from "../../deploy/build/architecture.ts";

export const PROJECT = join(import.meta.dir, "../..");

export function executablePath(architecture: Architecture): string {
  const path = join(PROJECT, ARCHITECTURES[architecture].outfile);
  if (!existsSync(path)) throw new Error(`${path} is not there; run ./dev build first.`);
  return path;
}

export async function executableBytes(architecture: Architecture): Promise<Buffer> {
  return Buffer.from(await Bun.file(executablePath(architecture)).arrayBuffer());
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runToEnd(command: readonly string[], cwd = "/"): Promise<Output> {
  const child = Bun.spawn([...command], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 45_000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

const ELF_CLASS_64 = 2;
const ET_DYN = 3; // a shared library

/** The ELF machine of each shared library that stands somewhere inside the bytes. */
export function embeddedMachines(bytes: Buffer): (number | undefined)[] {
  const machines: (number | undefined)[] = [];
  const next = (from: number) => bytes.indexOf("\x7fELF", from, "latin1");
  for (let at = next(1); at >= 0; at = next(at + 1)) {
    const header = bytes.subarray(at, at + 64);
    if (header[4] === ELF_CLASS_64 && header.readUInt16LE(16) === ET_DYN) machines.push(elfMachine(header));
  }
  return machines;
}
