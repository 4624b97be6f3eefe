/** A tar archive (POSIX ustar), with the folders that its paths need. */

export type TarEntry =
  | { readonly path: string; readonly bytes: Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly linkTo: string }
  | { readonly path: string; readonly folder: true };

const BLOCK = 512;
const TYPE = { file: "0", link: "2", folder: "5" } as const;

/** Paths are relative and below 100 bytes. Folders are made once, before what they hold. */
export function tarArchive(entries: readonly TarEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const folders = new Set<string>();
  const makeFolder = (path: string) => {
    if (path === "" || folders.has(path)) return;
    makeFolder(parentOf(path));
    folders.add(path);
    parts.push(header(path, 0o755, 0, TYPE.folder, ""));
  };
  for (const entry of entries) {
    makeFolder("folder" in entry ? entry.path : parentOf(entry.path));
    if ("linkTo" in entry) parts.push(header(entry.path, 0o777, 0, TYPE.link, entry.linkTo));
    if (!("bytes" in entry)) continue;
    parts.push(header(entry.path, entry.mode ?? 0o644, entry.bytes.length, TYPE.file, ""), entry.bytes);
    parts.push(new Uint8Array((BLOCK - (entry.bytes.length % BLOCK)) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return Buffer.concat(parts);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function header(path: string, mode: number, size: number, type: string, linkTo: string): Uint8Array {
  if (path.length >= 100 || linkTo.length >= 100) throw new RangeError(`${path} is too long for a tar header`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  block.write(path, 0, "latin1");
  octal(mode, 100, 8);
  octal(0, 108, 8); // uid
  octal(0, 116, 8); // gid
  octal(size, 124, 12);
  octal(0, 136, 12); // mtime
  block.write("        ", 148, "latin1"); // the checksum counts as spaces
  block.write(type, 156, "latin1");
  block.write(linkTo, 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
