/** The executable in a root that has nothing but glibc: no libnl, nothing writable, nothing executable in /tmp. */

import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { executablePath, runToEnd } from "./executable.ts";

/** $1 is the root, $2 the executable; the rest is its command line. Runs in fresh namespaces. */
const ENTER = `set -e
root=$1 executable=$2
shift 2
ip link add nfbare0 type veth peer name nfbare1
mount --bind "$root" "$root"
mount --bind "$executable" "$root/netferry"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o noexec tmpfs "$root/tmp"
mount -o remount,ro,bind "$root"
if touch "$root/writable" 2>/dev/null; then echo "the root is writable" >&2; exit 99; fi
exec chroot "$root" /netferry "$@"
`;

test("netferry devices lists links when the root holds neither libnl nor a writable directory", async () => {
  using root = await bareRoot(executablePath("amd64"));
  const files = readdirSync(root.path, { recursive: true }).map(String);
  expect(files.filter((file) => file.includes("libnl"))).toEqual([]);
  const enter = ["unshare", "--mount", "--net", "--pid", "--fork", "--propagation", "private", "sh", "-c", ENTER, "sh"];
  const command = ["devices", "--filter=", "-o", "json"];
  const { code, stdout, stderr } = await runToEnd([...enter, root.path, executablePath("amd64"), ...command]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const link of ["nfbare0", "nfbare1"]) expect(stdout).toContain(`"${link}"`);
});

/** A root with the libraries that the executable is linked with, as `ldd` names them, and empty mount points. */
async function bareRoot(executable: string): Promise<{ readonly path: string } & Disposable> {
  const path = mkdtempSync(join(tmpdir(), "netferry-bare-"));
  const { stdout } = await runToEnd(["ldd", executable]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library ?? "");
  if (libraries.length < 2) throw new Error(`ldd ${executable} names no libraries: ${stdout}`);
  for (const library of libraries) {
    mkdirSync(join(path, dirname(library)), { recursive: true });
    copyFileSync(library, join(path, library));
  }
  for (const folder of ["proc", "sys", "tmp"]) mkdirSync(join(path, folder));
  writeFileSync(join(path, "netferry"), "");
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
