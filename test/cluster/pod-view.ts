/** What iproute2 shows of a link in the namespace of the pod that has it. */

import { readdirSync } from "node:fs";
import type { Cluster } from "../lab/cluster/cluster.ts";
import { run } from "../lab/cluster/run.ts";
import { until } from "../lab/cluster/wait.ts";

const CALL_LIMIT_MS = 10_000;
const SETTLED_LIMIT_MS = 20_000;

export interface PodView {
  readonly link: unknown;
  readonly addresses: readonly unknown[];
  /**
   * Of all tables, those over the link, but not who made them: netferry says of configured ones that they are static, as
   * an administrator's are, and DRANET nothing, which is shown as `boot`.
   */
  readonly routes: readonly unknown[];
  readonly rules: readonly unknown[];
  readonly neighbors: readonly unknown[];
}

interface LinkInfo {
  readonly ifindex: number;
  readonly addr_info: readonly { readonly local: string }[];
}

/** Of the one pod that has a link of this name. Waits until the kernel has made sure of its addresses. */
export async function podView(cluster: Cluster, ifname: string): Promise<PodView> {
  const netns = await netnsWith(cluster, ifname);
  const show = (...args: readonly string[]) => ipIn(cluster, netns, ["-d", "-j", ...args]);
  const isSettled = async () => !(await ipText(cluster, netns, ["addr", "show", "dev", ifname])).includes("tentative");
  await until(`${ifname} has no tentative address in the pod`, isSettled, SETTLED_LIMIT_MS);
  const [info] = (await show("addr", "show", "dev", ifname)) as LinkInfo[];
  if (info === undefined) throw new Error(`${ifname} is gone from ${netns}`);
  // The index is the next free one of the namespace it was in last.
  const { addr_info, ifindex: _, ...link } = info;
  return {
    link,
    addresses: sorted(addr_info),
    routes: sorted(
      [
        ...(await show("-4", "route", "show", "table", "all", "dev", ifname)),
        ...(await show("-6", "route", "show", "table", "all", "dev", ifname)),
      ].map((route) => ({ ...(route as object), protocol: undefined })),
    ),
    rules: [...(await show("-4", "rule", "show")), ...(await show("-6", "rule", "show"))],
    neighbors: sorted(await show("neigh", "show", "dev", ifname, "nud", "permanent")),
  };
}

async function netnsWith(cluster: Cluster, ifname: string): Promise<string> {
  for (const name of readdirSync(cluster.dirs.netns)) {
    const links = (await ipIn(cluster, name, ["-j", "link", "show"]).catch(() => [])) as { readonly ifname: string }[];
    if (links.some((link) => link.ifname === ifname)) return name;
  }
  throw new Error(`no pod has a link ${ifname}`);
}

async function ipIn(cluster: Cluster, netns: string, args: readonly string[]): Promise<unknown[]> {
  const text = await ipText(cluster, netns, args);
  return text.trim() === "" ? [] : JSON.parse(text);
}

/** The node's namespaces are mounts that only the node sees. */
function ipText(cluster: Cluster, netns: string, args: readonly string[]): Promise<string> {
  return run(cluster.inNode(["ip", "-n", netns, ...args]), { limitMs: CALL_LIMIT_MS });
}

function sorted(all: readonly unknown[]): readonly unknown[] {
  return all.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}
