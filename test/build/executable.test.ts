import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executablePath, PROJECT, runToEnd } from "./executable.ts";

const FAULT_VARIABLE = "NETFERRY_FAULT";

test("netferry version prints the version of package.json and a commit", async () => {
  const { version } = await Bun.file(join(PROJECT, "package.json")).json();
  const { code, stdout, stderr } = await runToEnd([executablePath("amd64"), "version"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout).toContain(version);
  expect(stdout).toMatch(/\b([0-9a-f]{12}(-changed)?|unknown)\b/);
});

test("netferry-arm64 version prints what the amd64 one prints when run by qemu-user", async () => {
  const emulated = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", executablePath("arm64"), "version"];
  const [arm64, amd64] = await Promise.all([runToEnd(emulated), runToEnd([executablePath("amd64"), "version"])]);
  expect(arm64.code).toBe(0);
  const versionOf = (text: string) => text.replaceAll(/arm64|amd64|aarch64|x86_64|x64/g, "ARCH");
  expect(versionOf(arm64.stdout)).toBe(versionOf(amd64.stdout));
});

test("the released executables hold no fault point, unlike the one that is built for tests", async () => {
  const names = await faultNames();
  expect(names.length).toBeGreaterThan(1);
  const found = async (path: string) => {
    const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
    return names.filter((name) => bytes.includes(name));
  };
  expect(await found(executablePath("amd64"))).toEqual([]);
  expect(await found(executablePath("arm64"))).toEqual([]);
  expect(await found(join(PROJECT, "dist/netferry-faults"))).toContain(FAULT_VARIABLE);
});

/** Settings of a directory that a root daemon must not take; Bun reads the first two unless the build forbids it. */
const SETTINGS: Readonly<Record<string, string>> = {
  ".env": "BUN_CONFIG_VERBOSE_FETCH=1\n",
  "bunfig.toml": 'preload = ["./preload.ts"]\n',
  "tsconfig.json": "{}\n",
  "package.json": "{}\n",
};

test("netferry reads no settings of its working directory", async () => {
  using folder = strictAtimeFolder();
  for (const [name, text] of Object.entries({ ...SETTINGS, control: "read me\n" })) {
    writeFileSync(join(folder.path, name), text);
    utimesSync(join(folder.path, name), 1, 1);
  }
  const readAt = (name: string) => statSync(join(folder.path, name)).atimeMs;
  const { code } = await runToEnd([executablePath("amd64"), "version"], folder.path);
  expect(code).toBe(0);
  expect(Object.keys(SETTINGS).filter((name) => readAt(name) !== 1000)).toEqual([]);
  await Bun.file(join(folder.path, "control")).text();
  expect(readAt("control")).toBeGreaterThan(1000); // so the times above would have told
});

/** A folder whose access times are always written: a tmpfs of its own, gone when disposed. */
function strictAtimeFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "netferry-cwd-"));
  mkdirSync(path, { recursive: true });
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "strictatime", "netferry-test", path]);
  if (!mounted.success) throw new Error(`mount of a tmpfs on ${path} failed: ${mounted.stderr}`);
  return {
    path,
    [Symbol.dispose]() {
      Bun.spawnSync(["umount", path]);
      rmSync(path, { recursive: true });
    },
  };
}

/** The variable that asks for a fault, and the names of the fault points, as they would stand in an executable. */
async function faultNames(): Promise<string[]> {
  const names = new Set([FAULT_VARIABLE]);
  for (const path of new Bun.Glob("src/**/*.ts").scanSync({ cwd: PROJECT, absolute: true })) {
    const text = await Bun.file(path).text();
    for (const [, name] of text.matchAll(/\bfault[A-Z]\w*\("([^"]+)"/g)) names.add(name ?? "");
  }
  return [...names];
}
