import { readFileSync, statSync } from "node:fs";

/** A small file that others replace (the kubelet rotates tokens and CA bundles); read again when it changed. */
export class RotatingFile {
  readonly path: string;
  #stamp = "";
  #text = "";

  constructor(path: string) {
    this.path = path;
  }

  /** The text now, without white space around it. Throws the file system's error if the file cannot be read. */
  read(): string {
    // The kubelet swaps a symlink to a new directory, so the inode changes even when size and second do not.
    const { ino, size, mtimeMs } = statSync(this.path);
    const stamp = `${ino} ${size} ${mtimeMs}`;
    if (stamp !== this.#stamp) {
      this.#text = readFileSync(this.path, "utf8").trim();
      this.#stamp = stamp;
    }
    return this.#text;
  }

  /** The next read() looks into the file whatever its stamp says. */
  forget(): void {
    this.#stamp = "";
  }
}
