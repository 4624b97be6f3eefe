/** The archive of an initramfs, in the "newc" format: Documentation/driver-api/early-userspace/buffer-format.rst. */

export interface CpioEntry {
  readonly path: string;
  /** Absent: a folder. */
  readonly bytes?: Uint8Array;
}

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const MODE = 0o755;

export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const records = entries.map(({ path, bytes }, index) =>
    record(path, bytes ?? new Uint8Array(0), (bytes === undefined ? S_IFDIR : S_IFREG) | MODE, index + 1),
  );
  return Buffer.concat([...records, record("TRAILER!!!", new Uint8Array(0), 0, 0)]);
}

function record(path: string, bytes: Uint8Array, mode: number, inode: number): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, mtime, size, device (2), special device (2), size of the name, checksum (unused)
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(bytes)]);
}

/** Header with name, and content, each end at a multiple of four. */
function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
}
