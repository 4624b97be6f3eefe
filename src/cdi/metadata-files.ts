import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generationOf, metadataFileName, metadataText } from "./metadata.ts";
import type { Receipt } from "./receipt.ts";

/** The device metadata files on the host, below a directory that the runtime sees under the same path. */
export class MetadataFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** A file whose content stays as it is keeps its generation, any other gets the next one. */
  write({ driver, claimUid, requests, metadata }: Receipt): void {
    if (metadata === undefined) return;
    for (const request of Object.keys(requests)) {
      const path = join(this.directory, metadataFileName(driver, claimUid, request));
      const present = read(path);
      const generation = generationOf(present ?? "") ?? 0;
      const textIn = (number: number) => metadataText(driver, claimUid, metadata, request, number);
      if (present !== undefined && present === textIn(generation)) continue;
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      writeFileSync(`${path}.new`, textIn(generation + 1), { mode: 0o644 });
      renameSync(`${path}.new`, path);
    }
  }

  /** A container that has it mounted keeps it until it ends. With the last claim the directory goes. */
  remove(claimUid: string): void {
    rmSync(join(this.directory, claimUid), { recursive: true, force: true });
    try {
      rmdirSync(this.directory);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOTEMPTY" && code !== "ENOENT") throw error;
    }
  }

  /** UIDs of the claims that have files. */
  claims(): readonly string[] {
    try {
      return readdirSync(this.directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
