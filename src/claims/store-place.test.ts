import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storePlace } from "./store-place.ts";

/** As a mount of the host in a container whose root is `/`. */
const MOUNT = "/dev/shm";

let mounted: string;
let own: string;
beforeEach(() => {
  mounted = mkdtempSync(join(MOUNT, "netferry-store-"));
  own = mkdtempSync(join(tmpdir(), "netferry-store-"));
});
afterEach(() => {
  for (const directory of [mounted, own]) rmSync(directory, { recursive: true });
});

const place = (options: Partial<Parameters<typeof storePlace>[0]>) => {
  const fallback = join(own, "lib/netferry.db");
  return storePlace({ asked: fallback, fallback, containerRoot: own, dranetStore: join(own, "run/n.db"), ...options });
};

test("storePlace() takes what was asked for outside of a container", () => {
  expect(place({ containerRoot: undefined })).toEqual({ path: join(own, "lib/netferry.db") });
});

test("storePlace() goes to the folder that DRANET's manifest mounts when the default one is the container's own", () => {
  const dranetStore = join(mounted, "dranet/netferry.db");
  expect(place({ dranetStore })).toEqual({ path: dranetStore });
});

test("storePlace() stays where the store is when the default folder is mounted too", () => {
  mkdirSync(join(mounted, "dranet"));
  const asked = join(mounted, "lib/netferry.db");
  const dranetStore = join(mounted, "dranet/netferry.db");
  expect(place({ asked, fallback: asked, dranetStore })).toEqual({ path: asked });
  writeFileSync(dranetStore, "");
  expect(place({ asked, fallback: asked, dranetStore })).toEqual({ path: dranetStore });
});

test("storePlace() takes a path that was named, mounted or not, and says what is wrong with one that is not", () => {
  const named = join(own, "elsewhere/n.db");
  const { path, problem } = place({ asked: named, dranetStore: join(mounted, "n.db") });
  expect(path).toBe(named);
  expect(problem).toContain(`mount the host's ${join(own, "elsewhere")} there`);
  expect(place({ asked: join(mounted, "n.db") })).toEqual({ path: join(mounted, "n.db") });
});

test("storePlace() takes an empty path for the memory, as DRANET does", () => {
  expect(place({ asked: "" })).toEqual({ path: ":memory:" });
});
