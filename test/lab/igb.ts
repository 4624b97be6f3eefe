/** Intel 82576 ports of an emulated machine, for tests that run in it. */

import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { eventually } from "../fakes/eventually.ts";
import { ip } from "./links.ts";

const FUNCTIONS = "/sys/bus/pci/devices";

/** Addresses of the ports (8086:10c9) in the order of the bus. Throws where there is none: such tests need the machine. */
export function igbPorts(): readonly string[] {
  const ports = readdirSync("/sys/bus/pci/drivers/igb").filter((name) => name.includes(":"));
  if (ports.length === 0) throw new Error("there is no igb port here: run this test by ./dev test vm");
  return ports.sort();
}

/** Names the link of a function, which the kernel has numbered by chance, once it is there. */
export async function nameLink(address: string, ifname: string): Promise<void> {
  const links = join(FUNCTIONS, address, "net");
  const current = () => (existsSync(links) ? readdirSync(links)[0] : undefined);
  await eventually(`${address} has a link`, () => current() !== undefined);
  if (current() !== ifname) ip("link", "set", current() ?? "", "name", ifname);
}

/** Makes VFs and answers their addresses; `count` 0 takes them away. */
export function setVfs(port: string, count: number): readonly string[] {
  writeFileSync(join(FUNCTIONS, port, "sriov_numvfs"), String(count));
  return vfsOf(port);
}

/** Addresses of the VFs that there are, by index. */
export function vfsOf(port: string): readonly string[] {
  const count = readdirSync(join(FUNCTIONS, port)).filter((name) => name.startsWith("virtfn")).length;
  return Array.from({ length: count }, (_, index) => basename(readlinkSync(join(FUNCTIONS, port, `virtfn${index}`))));
}

/** The name of the device in the node's pool: `pci-0000-41-00-0`. */
export function deviceName(address: string): string {
  return `pci-${address.replaceAll(/[:.]/g, "-")}`;
}
