/**
 * The demo's first process. It takes a network and a mount namespace of its own, starts the stage in there, and waits. With
 * it end both namespaces and all that is in them: links, namespace files, directories.
 */

import { readFileSync } from "node:fs";
import { unshareNetwork } from "../../ffi/unshare.ts";
import { ownMounts } from "./own-mounts.ts";
import { childEnvironment, OWN_COMMAND, ROLE } from "./self.ts";

/** linux/capability.h */
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;
const CAP_SYS_ADMIN = 21;
const NEEDED = [CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN];

/** Whoever asks again after this does not want to wait. Before, it is one signal that came by two ways. */
const IMPATIENT_MS = 500;

/** Set when this process was started within a user namespace for the demo's sake. */
const ENTERED = "NETFERRY_DEMO_ENTERED";
const REMEDY = "run it as root, or where users may make namespaces: unshare -Urnm netferry demo";

/** 0 when every step of the demo held. Rejects when this process may not make namespaces and cannot get there. */
export async function runEnclosed(): Promise<0 | 1> {
  if (!mayMakeNamespaces(readFileSync("/proc/self/status", "utf8"))) return enterUserNamespace();
  unshareNetwork();
  ownMounts();
  return runStage();
}

/** `status` is the text of /proc/self/status. */
export function mayMakeNamespaces(status: string): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return NEEDED.every((capability) => (effective & (1n << BigInt(capability))) !== 0n);
}

/** A process with threads, as this one is, cannot enter a new user namespace itself: util-linux's unshare can. */
async function enterUserNamespace(): Promise<0 | 1> {
  const unshare = Bun.which("unshare");
  if (process.env[ENTERED] !== undefined || unshare === null)
    throw new Error(`The demo makes namespaces, for which this user has no right; ${REMEDY}.`);
  const child = Bun.spawn([unshare, "-Urnm", ...OWN_COMMAND, "demo"], {
    stdio: ["inherit", "inherit", "inherit"],
    env: childEnvironment({ [ENTERED]: "1" }),
  });
  // It is the child that decides when all is over.
  using _signals = onStopSignal((name) => child.kill(name));
  const code = await child.exited;
  if (code !== 0) console.error(`netferry: the demo ran in a user namespace; if that is forbidden here, ${REMEDY}`);
  return code === 0 ? 0 : 1;
}

async function runStage(): Promise<0 | 1> {
  // A session of its own, so that whatever it leaves when it is killed can be found, and a Ctrl-C comes here first.
  const stage = Bun.spawn([...OWN_COMMAND, "demo"], {
    stdin: "pipe",
    stdout: "inherit",
    stderr: "inherit",
    detached: true,
    env: childEnvironment({ [ROLE]: "stage" }),
  });
  let askedMs: number | undefined;
  using _signals = onStopSignal(() => {
    // The stage ends when its input does, also when this process is killed.
    if (askedMs === undefined) void stage.stdin.end();
    else if (performance.now() - askedMs > IMPATIENT_MS) stage.kill("SIGKILL");
    askedMs ??= performance.now();
  });
  const code = await stage.exited;
  if (code !== 0) killGroup(stage.pid);
  return code === 0 ? 0 : 1;
}

/** What a stage left running that could not wait for it: its agent, containers. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function onStopSignal(listener: (name: NodeJS.Signals) => void): Disposable {
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of names) process.on(name, listener);
  return {
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, listener);
    },
  };
}
