/** Debian's names of the architectures that netferry is built for, and what other tools call them. */

export type Architecture = "amd64" | "arm64";

export const ARCHITECTURES = {
  amd64: { target: "bun-linux-x64", elfMachine: 62, outfile: "dist/netferry" }, // EM_X86_64
  arm64: { target: "bun-linux-arm64", elfMachine: 183, outfile: "dist/netferry-arm64" }, // EM_AARCH64
} as const;

/** `e_machine` of an ELF file (elf.h), or undefined when the bytes are not one. */
export function elfMachine(bytes: Uint8Array): number | undefined {
  if (bytes.length < 20 || !startsWith(bytes, ELF_MAGIC)) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint16(18, true);
}

const ELF_MAGIC = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, at) => bytes[at] === byte);
}
