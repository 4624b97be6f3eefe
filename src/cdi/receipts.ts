import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { aliasFileName, claimOfFile, type Receipt, receiptFileName, receiptFiles } from "./receipt.ts";

/** The receipts in the runtime's CDI directory. Files of other drivers are never touched. */
export class Receipts {
  readonly #directory: string;
  readonly #driver: string;

  constructor(directory: string, driver: string) {
    this.#directory = directory;
    this.#driver = driver;
  }

  /** The same receipt twice changes nothing, so that the runtime has nothing to read again. */
  write(receipt: Receipt): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
    for (const [name, content] of Object.entries(receiptFiles(receipt))) {
      const path = join(this.#directory, name);
      if (this.#read(path) === content) continue;
      // The runtime watches this directory and ignores a file that is renamed into it from elsewhere; a dot name
      // without .json inside it is not read until it has its own name.
      const unfinished = join(this.#directory, `.${name}.new`);
      writeFileSync(unfinished, content, { mode: 0o644 });
      renameSync(unfinished, path);
    }
  }

  remove(claimUid: string): void {
    for (const name of [aliasFileName(this.#driver, claimUid), receiptFileName(this.#driver, claimUid)])
      rmSync(join(this.#directory, name), { force: true });
  }

  /** UIDs of the claims that have a receipt. */
  claims(): readonly string[] {
    const names = this.#list();
    return [...new Set(names.map((name) => claimOfFile(this.#driver, name)).filter((uid) => uid !== undefined))];
  }

  /** Why receipts cannot be written, or `undefined` when they can. */
  problem(): string | undefined {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
      accessSync(this.#directory, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (cause) {
      return `the CDI directory ${this.#directory} is not writable (${String(cause)}): mount it from the host, or name another with --cdi-dir`;
    }
  }

  #list(): readonly string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }
}
