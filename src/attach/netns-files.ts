import { existsSync } from "node:fs";
import { basename, join } from "node:path";

/**
 * The runtime's namespace files as they are seen from here. In a container the runtime's path may not exist while the
 * directory is mounted as `--netns-dir`.
 */
export class NetnsFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where to open, watch or look for the file that the runtime calls `path`. */
  local(path: string): string {
    return existsSync(path) ? path : this.#inDirectory(path);
  }

  exists(path: string): boolean {
    return existsSync(path) || existsSync(this.#inDirectory(path));
  }

  #inDirectory(path: string): string {
    return join(this.#directory, basename(path));
  }
}
