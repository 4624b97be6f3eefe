/** Links at the NUMA nodes of an emulated machine, and what its kernel, not the product, says of their places. */

import { readFileSync } from "node:fs";
import { igbPorts, nameLink, setVfs } from "./igb.ts";
import { hasLink, ip } from "./links.ts";
import type { Pods } from "./runtime/pods.ts";

export interface Place {
  readonly node: number;
  readonly cpus: string;
}

/** Of each igb port its link `p0`, two VFs `p0v0` and `p0v1`, and a macvlan `p0m`: name → place. Asked again it is as before. */
export async function placedLinks(): Promise<ReadonlyMap<string, Place>> {
  const places = new Map<string, Place>();
  for (const [index, port] of igbPorts().entries()) {
    await nameLink(port, `p${index}`);
    ip("link", "set", `p${index}`, "up");
    const node = Number(readFileSync(`/sys/bus/pci/devices/${port}/numa_node`, "utf8"));
    const cpus = readFileSync(`/sys/devices/system/node/node${node}/cpulist`, "utf8").trim();
    places.set(`p${index}`, { node, cpus });
    for (const [vf, address] of setVfs(port, 2).entries()) {
      await nameLink(address, `p${index}v${vf}`);
      places.set(`p${index}v${vf}`, { node, cpus });
    }
    if (!hasLink(`p${index}m`))
      ip("link", "add", "link", `p${index}`, "name", `p${index}m`, "type", "macvlan", "mode", "bridge");
    places.set(`p${index}m`, { node, cpus });
  }
  return places;
}

/** `Cpus_allowed_list` and `Mems_allowed_list` of a process in the container. */
export async function allowedIn(pods: Pods, containerId: string): Promise<readonly string[]> {
  const { stdout } = await pods.exec(containerId, "grep", "s_allowed_list", "/proc/self/status");
  return stdout.match(/[\d,-]+$/gm) ?? [];
}
