/** Network namespaces for tests, by `ip netns`: what a test expects is read by iproute2, never by the code under test. */

let made = 0;

/** A name that no other run has; short enough to be a link's too (15 bytes). */
export function uniqueName(prefix: string): string {
  made += 1;
  return `${prefix}${(process.pid % 0xfffff).toString(36)}${made.toString(36)}`;
}

/** A namespace that is deleted, with the links in it, at the end of its scope. */
export class TestNetns implements Disposable {
  readonly name: string;
  readonly path: string;

  constructor(prefix = "nft") {
    this.name = uniqueName(prefix);
    this.path = `/run/netns/${this.name}`;
    run(["ip", "netns", "add", this.name]);
  }

  /** Runs `ip ARGS` in the namespace and answers what it printed. */
  ip(...args: readonly string[]): string {
    return run(["ip", "-n", this.name, ...args]);
  }

  /** What `ip -j -d ARGS` shows in the namespace. */
  // biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON, whose shape the tests assert
  json(...args: readonly string[]): any[] {
    return parseRows(this.ip("-j", "-d", ...args));
  }

  /** Runs a command in the namespace. */
  exec(...command: readonly string[]): string {
    return run(["ip", "netns", "exec", this.name, ...command]);
  }

  /** A sysctl of the namespace by its path below `/proc/sys`. */
  sysctl(path: string): string {
    return this.exec("cat", `/proc/sys/${path}`).trimEnd();
  }

  ifindexOf(ifname: string): number {
    return this.json("link", "show", "dev", ifname)[0].ifindex;
  }

  [Symbol.dispose](): void {
    run(["ip", "netns", "del", this.name]);
  }
}

/** Runs `ip ARGS` in the test's own namespace. */
export function ip(...args: readonly string[]): string {
  return run(["ip", ...args]);
}

// biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON, whose shape the tests assert
export function ipJson(...args: readonly string[]): any[] {
  return parseRows(run(["ip", "-j", "-d", ...args]));
}

/** iproute2 prints empty objects for rows that it filters out. */
// biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON, whose shape the tests assert
function parseRows(text: string): any[] {
  if (text.trim() === "") return [];
  return JSON.parse(text).filter((row: object) => Object.keys(row).length > 0);
}

/** Runs a command to its end. Throws, with what it said, when it fails. */
export function run(command: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with code ${exitCode}: ${stderr.toString().trim()}`);
  return stdout.toString();
}

/** Waits until `look` answers something other than false or undefined; throws what it threw last when time is up. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  limitMs = 20_000,
): Promise<Exclude<T, false | undefined>> {
  const end = performance.now() + limitMs;
  for (;;) {
    let problem: unknown;
    try {
      const found = await look();
      if (found !== false && found !== undefined) return found as Exclude<T, false | undefined>;
    } catch (error) {
      problem = error;
    }
    if (performance.now() > end) throw new Error(`${what} did not happen within ${limitMs} ms`, { cause: problem });
    await Bun.sleep(10);
  }
}

/** Whether this kernel can make links of this kind, found out by making one in a namespace of its own. */
export function kernelHas(kind: "veth" | "macvlan" | "bridge" | "dummy" | "vlan" | "vxlan"): boolean {
  using netns = new TestNetns("nfp");
  if (kind === "macvlan" || kind === "vlan") netns.ip("link", "add", "p0", "type", "veth", "peer", "name", "p1");
  const extra: Readonly<Record<string, readonly string[]>> = {
    macvlan: ["link", "p0"],
    vlan: ["link", "p0"],
  };
  const tail: Readonly<Record<string, readonly string[]>> = {
    vlan: ["id", "5"],
    vxlan: ["id", "5", "dstport", "4789"],
    veth: ["peer", "name", "q1"],
  };
  try {
    netns.ip("link", "add", "q0", ...(extra[kind] ?? []), "type", kind, ...(tail[kind] ?? []));
    return true;
  } catch {
    return false;
  }
}
