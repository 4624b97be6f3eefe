/** RDMA devices in software, on links that stand on a dummy, for tests that run in the emulated machine. */

import { SysfsTree } from "../fakes/sysfs.ts";
import { type HostLinks, ip, uniqueName } from "./links.ts";

export interface RdmaPort {
  readonly ifname: string;
  readonly port: number;
  readonly state: string;
  readonly netdev?: string;
}

/** Runs `rdma`; throws with what it said. */
export function rdma(...args: readonly string[]): string {
  const result = Bun.spawnSync(["rdma", ...args]);
  if (!result.success) throw new Error(`rdma ${args.join(" ")}: ${result.stderr.toString().trim()}`);
  return result.stdout.toString();
}

/** The ports that a namespace shows, as `NAME/PORT NETDEV`; without a path: the host's. */
export function rdmaLinks(netnsPath?: string): readonly string[] {
  const enter = netnsPath === undefined ? [] : ["nsenter", `--net=${netnsPath}`];
  const { stdout } = Bun.spawnSync([...enter, "rdma", "-j", "link"]);
  const ports = JSON.parse(stdout.toString()) as RdmaPort[];
  return ports.map(({ ifname, port, netdev }) => `${ifname}/${port} ${netdev ?? "-"}`);
}

/** A macvlan, which can be made anew, with an RDMA device of the kind on it. The device goes with the link. */
export function addRdmaLink(
  links: HostLinks,
  kind: "rxe" | "siw" = "rxe",
): { readonly ifname: string; readonly name: string } {
  const parent = uniqueName("d");
  const ifname = uniqueName("m");
  const name = uniqueName(kind);
  links.run(["link", "add", parent, "type", "dummy"], ["link", "del", parent]);
  ip("link", "set", parent, "up");
  links.run(["link", "add", ifname, "link", parent, "type", "macvlan", "mode", "bridge"], ["link", "del", ifname]);
  ip("addr", "add", "10.71.0.5/24", "dev", ifname);
  ip("link", "set", ifname, "up");
  rdma("link", "add", name, "type", kind, "netdev", ifname);
  return { ifname, name };
}

/** The PCI address of the function that `functionTree` shows. */
export const FUNCTION = "0000:3b:00.1";
export const FUNCTION_DEVICE = "pci-0000-3b-00-1";

/**
 * A sysfs with one InfiniBand function that carries the RDMA device `name`: those of a machine without such hardware
 * stand on no function.
 */
export function functionTree(name: string): SysfsTree {
  const path = `devices/pci0000:3a/${FUNCTION}`;
  const port = `${path}/infiniband/${name}/ports/1`;
  return new SysfsTree({
    [`bus/pci/devices/${FUNCTION}`]: { link: `../../../${path}` },
    "bus/pci/drivers/mlx5_core/bind": "",
    [`${path}/driver`]: { link: "../../../bus/pci/drivers/mlx5_core" },
    [`${path}/class`]: "0x020700\n",
    [`${path}/vendor`]: "0x15b3\n",
    [`${path}/device`]: "0x101b\n",
    [`${path}/infiniband/${name}/device`]: { link: "../.." },
    [`${port}/link_layer`]: "InfiniBand\n",
    [`${port}/state`]: "4: ACTIVE\n",
    [`class/infiniband/${name}`]: { link: `../../${path}/infiniband/${name}` },
  });
}
