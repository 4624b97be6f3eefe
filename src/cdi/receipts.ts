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
import { isOnSameFileSystem } from "../lib/file-system.ts";
import type { MetadataFiles } from "./metadata-files.ts";
import { aliasFileName, claimOfFile, type Receipt, receiptFileName, receiptFiles } from "./receipt.ts";

/** The receipts in the runtime's CDI directory. Files of other drivers are never touched. */
export class Receipts {
  readonly #directory: string;
  readonly #driver: string;
  readonly #metadata: MetadataFiles | undefined;
  /** Why the runtime will never see what is written here; `undefined` when it may. */
  readonly unseen: string | undefined;

  /** `containerRoot` is the root directory of the container that this process runs in; absent outside of one. */
  constructor(directory: string, driver: string, containerRoot?: string, metadata?: MetadataFiles) {
    this.#directory = directory;
    this.#driver = driver;
    this.#metadata = metadata;
    if (containerRoot !== undefined && isOn(containerRoot, directory))
      this.unseen = `the CDI directory ${directory} is the container's own, not the host's, so there are no receipts and containers wait for their devices only while netferry runs: mount the host's ${directory} there`;
  }

  /** The same receipt twice changes nothing, so that the runtime has nothing to read again. */
  write(receipt: Receipt): void {
    if (this.unseen !== undefined) return;
    mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
    this.#metadata?.write(receipt);
    for (const [name, content] of Object.entries(receiptFiles(receipt, this.#metadata?.directory))) {
      const path = join(this.#directory, name);
      if (this.#read(path) === content) continue;
      // The runtime watches this directory and ignores a file that is renamed into it from elsewhere; a dot name
      // without .json inside it is not read until it has its own name.
      const unfinished = join(this.#directory, unfinishedName(name));
      writeFileSync(unfinished, content, { mode: 0o644 });
      renameSync(unfinished, path);
    }
  }

  remove(claimUid: string): void {
    for (const name of [aliasFileName(this.#driver, claimUid), receiptFileName(this.#driver, claimUid)])
      for (const file of [name, unfinishedName(name)]) rmSync(join(this.#directory, file), { force: true });
    this.#metadata?.remove(claimUid);
  }

  /** UIDs of the claims that have a receipt, or a file that belongs to one. */
  claims(): readonly string[] {
    const names = this.#list();
    const uids = names.map((name) => claimOfFile(this.#driver, finishedName(name))).filter((uid) => uid !== undefined);
    return [...new Set([...uids, ...(this.#metadata?.claims() ?? [])])];
  }

  /** Why receipts cannot be written, or `undefined` when they can. */
  problem(): string | undefined {
    if (this.unseen !== undefined) return this.unseen;
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

function unfinishedName(name: string): string {
  return `.${name}.new`;
}

/** Of an unfinished file, which an agent that died may have left; any other name as it is. */
function finishedName(name: string): string {
  return name.replace(/^\.(.+)\.new$/, "$1");
}

/** A mount has another device number than the container's root, whatever file system is behind it. */
function isOn(root: string, directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    return isOnSameFileSystem(directory, root);
  } catch {
    return false; // not writable: problem() tells it with its reason
  }
}
