/** Which file the store is, and whether it outlives the container that the agent runs in. */

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { isOnSameFileSystem } from "../lib/file-system.ts";

/** DRANET's installation mounts this folder of the host, and not ours. */
export const DRANET_STORE = "/var/run/dranet/netferry.db";

export interface StorePlace {
  /** For `ClaimStore.open()`. */
  readonly path: string;
  /** Why what is kept there is lost with the container; absent when it is not. */
  readonly problem?: string;
}

export interface StorePlaceOptions {
  /** `--db-path`; empty: in memory. */
  readonly asked: string;
  /** What `--db-path` is when it is not given. */
  readonly fallback: string;
  /** The root directory of the container that this process runs in; absent outside of one. */
  readonly containerRoot?: string | undefined;
  readonly dranetStore?: string;
}

/**
 * Where the default folder is the container's own, that of DRANET's manifest serves. A store that is there already goes
 * on being used when the other folder is mounted later: pods run whose devices stand in it.
 */
export function storePlace({ asked, fallback, containerRoot, dranetStore }: StorePlaceOptions): StorePlace {
  if (asked === "") return { path: ":memory:" };
  if (containerRoot === undefined) return { path: asked };
  const candidates = asked === fallback ? [asked, dranetStore ?? DRANET_STORE] : [asked];
  const mounted = candidates.filter((path) => !isOnSameFileSystem(dirname(path), containerRoot));
  const path = mounted.find((one) => existsSync(one)) ?? mounted[0];
  if (path !== undefined) return { path };
  const directory = dirname(asked);
  return {
    path: asked,
    problem: `the store ${asked} is in the container's own file system and is lost with it, and with it where devices belong: mount the host's ${directory} there`,
  };
}
