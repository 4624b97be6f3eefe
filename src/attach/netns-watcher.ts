import { existsSync, type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";

/**
 * Tells when a runtime's namespace file vanishes. That is the one sign of a pod's end which comes always, also when the
 * runtime sends no event because it was restarted.
 */
export class NetnsWatcher implements Disposable {
  readonly #onGone: (path: string) => void;
  readonly #files = new Set<string>();
  /** Told once, as long as they are wanted: what follows may take a while. */
  readonly #gone = new Set<string>();
  readonly #watchers = new Map<string, FSWatcher>();

  constructor(onGone: (path: string) => void) {
    this.#onGone = onGone;
  }

  /** Watches exactly these files; one that is gone already is reported at once. */
  setFiles(paths: Iterable<string>): void {
    const wanted = new Set(paths);
    for (const path of this.#files) if (!wanted.has(path)) this.#files.delete(path);
    for (const path of this.#gone) if (!wanted.has(path)) this.#gone.delete(path);
    for (const path of wanted) if (!this.#gone.has(path)) this.#files.add(path);
    const directories = new Set([...this.#files].map((path) => dirname(path)));
    for (const [directory, watcher] of this.#watchers)
      if (!directories.has(directory)) {
        watcher.close();
        this.#watchers.delete(directory);
      }
    for (const directory of directories) this.#watch(directory);
    for (const path of [...this.#files]) this.#check(path);
  }

  #watch(directory: string): void {
    if (this.#watchers.has(directory) || !existsSync(directory)) return;
    const watcher = watch(directory, () => {
      for (const path of [...this.#files]) if (dirname(path) === directory) this.#check(path);
    });
    // A directory that goes away takes its files with it; the slow reconciliation looks again in any case.
    watcher.on("error", () => {
      watcher.close();
      this.#watchers.delete(directory);
    });
    this.#watchers.set(directory, watcher);
  }

  #check(path: string): void {
    if (existsSync(path)) return;
    this.#files.delete(path);
    this.#gone.add(path);
    this.#onGone(path);
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#files.clear();
  }
}
