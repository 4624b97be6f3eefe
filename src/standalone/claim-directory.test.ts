import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { readClaimDirectory, watchClaimDirectory } from "./claim-directory.ts";
import type { ClaimFiles } from "./claim-file.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "netferry-claims-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function deviceClass(name: string): string {
  return `apiVersion: resource.k8s.io/v1\nkind: DeviceClass\nmetadata: {name: ${name}}\nspec: {}\n`;
}
const put = (name: string, text: string) => writeFile(join(directory, name), text);
const names = ({ classes }: ClaimFiles) => classes.map(({ name }) => name);

describe("readClaimDirectory()", () => {
  test("reads YAML files in the order of their names and passes over everything else", async () => {
    await Promise.all([
      put("b.yml", deviceClass("b")),
      put("a.yaml", deviceClass("a")),
      put(
        "c.json",
        JSON.stringify({ apiVersion: "resource.k8s.io/v1", kind: "DeviceClass", metadata: { name: "c" }, spec: {} }),
      ),
    ]);
    await Promise.all([
      put(".hidden.yaml", "["),
      put("notes.txt", "["),
      put("a.yaml~", "["),
      mkdir(join(directory, "sub")),
    ]);
    const files = await readClaimDirectory(directory);
    expect(names(files)).toEqual(["a", "b", "c"]);
    expect(files.problems).toEqual([]);
  });

  test("does not wait for a pipe, or read a device to its end", async () => {
    expect(Bun.spawnSync(["mkfifo", join(directory, "a.yaml")]).exitCode).toBe(0);
    await Promise.all([symlink("/dev/zero", join(directory, "b.yaml")), put("c.yaml", deviceClass("c"))]);
    const files = await readClaimDirectory(directory);
    expect(names(files)).toEqual(["c"]);
    expect(files.problems).toEqual(["a.yaml", "b.yaml"].map((file) => ({ file, line: 0, reason: "is no file" })));
  });

  test("keeps one broken or unreadable file from hiding the others", async () => {
    await Promise.all([
      put("a.yaml", "kind: ["),
      put("b.yaml", deviceClass("b")),
      mkdir(join(directory, "c.yaml")),
      symlink("nowhere", join(directory, "d.yaml")),
    ]);
    const files = await readClaimDirectory(directory);
    expect(names(files)).toEqual(["b"]);
    expect(files.problems.map(({ file, line }) => [file, line])).toEqual([
      ["a.yaml", 1],
      ["c.yaml", 0],
      ["d.yaml", 0],
    ]);
  });

  test("takes the first of two objects with one name and says where it is", async () => {
    await Promise.all([put("a.yaml", deviceClass("nic")), put("b.yaml", deviceClass("nic"))]);
    const files = await readClaimDirectory(directory);
    expect(names(files)).toEqual(["nic"]);
    expect(files.problems).toEqual([{ file: "b.yaml", line: 0, reason: "DeviceClass nic is in a.yaml already" }]);
  });

  test("reports a directory that is not there", async () => {
    const files = await readClaimDirectory(join(directory, "none"));
    expect(files.problems).toEqual([
      { file: join(directory, "none"), line: 0, reason: expect.stringContaining("ENOENT") },
    ]);
  });
});

describe("watchClaimDirectory()", () => {
  /** Runs the watcher; `next` waits for the next reading that it tells of. */
  function start(path: string, rescanMs = 60_000) {
    const stop = new AbortController();
    const readings: ClaimFiles[] = [];
    let wake = Promise.withResolvers<void>();
    const done = watchClaimDirectory({
      directory: path,
      signal: stop.signal,
      clock: systemClock,
      settleMs: 10,
      rescanMs,
      onChange: (files) => {
        readings.push(files);
        wake.resolve();
        wake = Promise.withResolvers();
      },
    });
    const until = async (fits: (files: ClaimFiles) => boolean): Promise<void> => {
      const limit = AbortSignal.timeout(4000);
      const late = new Promise<never>((_, reject) => limit.addEventListener("abort", () => reject(limit.reason)));
      late.catch(() => undefined);
      for (;;) {
        const waiting = wake.promise;
        const last = readings.at(-1);
        if (last && fits(last)) return;
        await Promise.race([waiting, late]);
      }
    };
    return {
      readings,
      until,
      async [Symbol.asyncDispose]() {
        stop.abort();
        await done;
      },
    };
  }

  test("tells of files that come, change and go, and of nothing else", async () => {
    await put("a.yaml", deviceClass("a"));
    await using watching = start(directory);
    await watching.until((files) => names(files).join() === "a");
    await put("b.yaml", deviceClass("b"));
    await watching.until((files) => names(files).join() === "a,b");
    await put("new", deviceClass("c"));
    await rename(join(directory, "new"), join(directory, "b.yaml"));
    await watching.until((files) => names(files).join() === "a,c");
    await put("b.yaml", "kind: [");
    await watching.until((files) => files.problems.length === 1);
    await rm(join(directory, "b.yaml"));
    await watching.until((files) => names(files).join() === "a" && files.problems.length === 0);
    const texts = watching.readings.map((files) => JSON.stringify(files));
    expect(texts.every((text, i) => text !== texts[i - 1])).toBe(true);
  });

  test("finds a directory that is made later, or made again", async () => {
    const path = join(directory, "later");
    await using watching = start(path, 20);
    await watching.until((files) => files.problems.length === 1);
    await mkdir(path);
    await writeFile(join(path, "a.yaml"), deviceClass("a"));
    await watching.until((files) => names(files).join() === "a");
    await rm(path, { recursive: true });
    await watching.until((files) => files.problems.length === 1);
    await mkdir(path);
    await writeFile(join(path, "b.yaml"), deviceClass("b"));
    await watching.until((files) => names(files).join() === "b");
  });

  test("ends at once when the signal aborts", async () => {
    const watching = start(directory);
    await watching.until(() => true);
    const before = performance.now();
    await watching[Symbol.asyncDispose]();
    expect(performance.now() - before).toBeLessThan(1000);
  });
});
