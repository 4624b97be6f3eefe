/** Which kernel operations an attach and a detach are, by strace: whether two programs do the same. */

import { join } from "node:path";
import * as k from "../../src/netlink/constants.ts";
import * as tc from "../../src/netlink/tc-constants.ts";

/** How often, by operation, by mark (`netferry attach`, `C detach`). */
export type Operations = Readonly<Record<string, Readonly<Record<string, number>>>>;

const TRACED = "bpf,sendmsg,setns,socket,open,openat,access,faccessat,faccessat2";
/** strace does not know the protocol of a socket of another namespace and shows the bare number. */
const REQUESTS: ReadonlyMap<number, string> = new Map(
  Object.entries({ ...k, ...tc }).flatMap(([name, value]) =>
    name.startsWith("RTM_") && typeof value === "number" ? [[value, name] as const] : [],
  ),
);

/** Runs one round under strace, behind `inOwnNamespaces`. `undefined` where strace is missing. */
export async function countOperations(
  inOwnNamespaces: readonly string[],
  traceFile: string,
): Promise<Operations | undefined> {
  const strace = Bun.which("strace");
  if (strace === null) return undefined;
  const traced = [...inOwnNamespaces, strace, "-f", "-s", "256", "-o", traceFile, "-e", `trace=${TRACED}`];
  const round = [process.execPath, join(import.meta.dir, "one-round.ts")];
  const { success, stderr } = Bun.spawnSync([...traced, ...round], { stdin: "ignore", stdout: "ignore" });
  if (!success) throw new Error(`the round under strace failed: ${stderr.toString()}`);
  return operationsIn(await Bun.file(traceFile).text());
}

/** Of each mark the last part of the trace that it opens. */
export function operationsIn(trace: string): Operations {
  const counts: Record<string, Record<string, number>> = {};
  let mark: string | undefined;
  for (const line of trace.split("\n")) {
    const found = /"\/mark\/([^"]*)"/.exec(line)?.[1];
    if (found !== undefined) {
      mark = found === "end" ? undefined : found;
      for (const perMark of Object.values(counts)) if (mark !== undefined) delete perMark[mark];
      continue;
    }
    const operation = mark === undefined ? undefined : operationOf(line);
    if (mark === undefined || operation === undefined) continue;
    counts[operation] ??= {};
    counts[operation][mark] = (counts[operation][mark] ?? 0) + 1;
  }
  return counts;
}

/** `undefined` for what has nothing to do with links. */
function operationOf(line: string): string | undefined {
  const [, call, rest = ""] = /^\d+\s+(\w+)\((.*)$/.exec(line) ?? [];
  switch (call) {
    case "setns":
      return "enter a namespace";
    case "socket":
      return rest.startsWith("AF_NETLINK") ? "open a netlink socket" : undefined;
    case "open":
    case "openat":
      if (rest.includes('"/proc/thread-self/ns/net"')) return "hold a namespace";
      // Of an open directory; nothing else is opened so.
      if (!rest.includes('"/proc/sys/net/') && !/^\d+, /.test(rest)) return undefined;
      return /O_WRONLY|O_RDWR/.test(rest) ? "write a sysctl" : "read a sysctl";
    case "bpf":
      return `bpf ${/^\w+/.exec(rest)?.[0] ?? ""}`;
    case "sendmsg":
      return requestOf(rest);
    default:
      return undefined;
  }
}

function requestOf(rest: string): string | undefined {
  const type = /nlmsg_type=(\w+)/.exec(rest)?.[1];
  if (type === undefined) return undefined;
  if (type === "ethtool") return "ethtool request";
  const flags = /nlmsg_flags=([^,]*)/.exec(rest)?.[1] ?? "";
  const name = type.startsWith("RTM_") ? type : REQUESTS.get(Number(type));
  if (name === undefined) return undefined;
  // Below RTM_GET the same bits are NLM_F_REPLACE and NLM_F_EXCL.
  const isDump = name.includes("_GET") && /NLM_F_DUMP|0x[37]\d\d/.test(flags);
  return isDump ? `${name}, all` : name;
}
