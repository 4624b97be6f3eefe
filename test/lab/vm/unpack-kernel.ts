import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** By the first bytes of the compressed image: programs that write it to their output, whatever follows it. */
const UNPACKERS: readonly { readonly magic: readonly number[]; readonly command: readonly string[] }[] = [
  { magic: [0x28, 0xb5, 0x2f, 0xfd], command: ["zstd", "-dcq"] },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], command: ["xz", "-dcq", "--single-stream"] },
  { magic: [0x1f, 0x8b, 0x08], command: ["gzip", "-dcq"] },
];
const ELF = "\x7fELF";

/** Takes the kernel out of the bzImage that a Debian package has, as the kernel's scripts/extract-vmlinux does. */
export function unpackKernel(root: string, to: string): void {
  const patterns = ["boot/vmlinuz*", "usr/lib/modules/*/vmlinuz*"]; // older and newer packages
  const path = patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })])[0];
  if (path === undefined) throw new Error(`there is no vmlinuz in ${root}`);
  const image = readFileSync(join(root, path));
  for (const { magic, command } of UNPACKERS)
    for (let at = image.indexOf(Buffer.from(magic)); at >= 0; at = image.indexOf(Buffer.from(magic), at + 1)) {
      const run = Bun.spawnSync([...command], { stdin: image.subarray(at), stderr: "ignore" });
      if (run.stdout.subarray(0, ELF.length).toString("latin1") !== ELF) continue;
      writeFileSync(to, run.stdout);
      return;
    }
  throw new Error(`${join(root, path)} holds no kernel that zstd, xz or gzip can unpack`);
}
