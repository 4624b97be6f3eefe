import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";

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

  /** Where neither directory is there, nobody can tell: then it counts as there, and no device is taken from its pod. */
  exists(path: string): boolean {
    const places = [path, this.#inDirectory(path)];
    return places.some((place) => existsSync(place)) || !places.some((place) => existsSync(dirname(place)));
  }

  #inDirectory(path: string): string {
    return join(this.#directory, basename(path));
  }
}
