/** The demo is several processes of the one executable; an environment variable tells each what it is. */

export const ROLE = "NETFERRY_DEMO_ROLE";

/**
 * `stage`: plays the demo, inside the namespaces that its parent made. `namespace`: makes one network namespace and ends.
 * `container`: is the one process of a container.
 */
export type Role = "stage" | "namespace" | "container";

/** What a `namespace` or a `container` is to do, as JSON. */
export const TASK = "NETFERRY_DEMO_TASK";

/**
 * The command that runs this program again, to which its own arguments are added. Looked up at once: the engine asks the
 * kernel for its path, and after unshare the kernel answers with one that a chroot does not have.
 */
export const OWN_COMMAND: readonly string[] = Bun.main.startsWith("/$bunfs/")
  ? [process.execPath]
  : [process.execPath, ...process.execArgv, Bun.main];

const KEPT: ReadonlySet<string> = new Set(["PATH", "LANG", "TERM", "NO_COLOR"]);

/** What a child needs of this process's environment, and nothing that could lead it out of the demo, such as a proxy. */
export function childEnvironment(added: Readonly<Record<string, string>> = {}): Record<string, string> {
  const isKept = (name: string) =>
    KEPT.has(name) || (name.startsWith("NETFERRY_") && !name.startsWith("NETFERRY_DEMO_"));
  const kept = Object.entries(process.env).flatMap(([name, value]) =>
    value !== undefined && isKept(name) ? [[name, value] as const] : [],
  );
  return { ...Object.fromEntries(kept), ...added };
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs this program to its end. Beyond `limitMs` it is killed, and its code is null. */
export async function runSelf(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  limitMs = 10_000,
): Promise<Outcome> {
  const child = Bun.spawn([...OWN_COMMAND, ...args], {
    stdio: ["inherit", "pipe", "pipe"], // "ignore" would need a /dev/null, which a bare root does not have
    env: childEnvironment(environment),
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code: child.exitCode, stdout: stdout.trim(), stderr: stderr.trim() };
}
