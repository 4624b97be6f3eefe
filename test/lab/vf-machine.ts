/** An emulated machine with the VFs of its first igb port, and a peer at its second. */

import { expect } from "bun:test";
import { existsSync, readlinkSync } from "node:fs";
import { eventually } from "../fakes/eventually.ts";
import { expectHostState, type HostState, hostState } from "./host-state.ts";
import { deviceName, igbPorts, nameLink, setVfs } from "./igb.ts";
import { hasLink, ip, ipJson } from "./links.ts";

export const PF = "port0";
export const PEER = "10.71.0.1";
/** The VLAN in which the peer has its address. */
export const VLAN = 5;

export class VfMachine implements Disposable {
  readonly pf: string;
  /** Addresses of the VFs; their links are named `vf0`, `vf1`, … */
  readonly vfs: readonly string[];

  private constructor(pf: string, vfs: readonly string[]) {
    this.pf = pf;
    this.vfs = vfs;
  }

  static async start(count: number): Promise<VfMachine> {
    const [pf = "", peer = ""] = igbPorts();
    await nameLink(pf, PF);
    await nameLink(peer, "port1");
    ip("netns", "add", "peer");
    ip("link", "set", "port1", "netns", "peer");
    ip("-n", "peer", "link", "add", "link", "port1", "name", "vlan", "type", "vlan", "id", String(VLAN));
    for (const ifname of ["port1", "vlan"]) ip("-n", "peer", "link", "set", ifname, "up");
    ip("-n", "peer", "addr", "add", `${PEER}/24`, "dev", "vlan");
    ip("link", "set", PF, "up");
    await eventually("the PF has its carrier", () => ip("link", "show", PF).includes("LOWER_UP"));
    const vfs = setVfs(pf, count);
    for (const [index, vf] of vfs.entries()) await nameLink(vf, `vf${index}`);
    return new VfMachine(pf, vfs);
  }

  /** Name of a VF in the pool, or of the PF. */
  device(index: number | "pf"): string {
    return deviceName(index === "pf" ? this.pf : (this.vfs[index] ?? ""));
  }

  /** Makes the PF have another number; the addresses stay those of the start. */
  setVfs(count: number): void {
    setVfs(this.pf, count);
  }

  [Symbol.dispose](): void {
    this.setVfs(0);
    ip("netns", "del", "peer");
  }
}

/** What a link of a host may have. */
export async function giveState(ifname: string): Promise<HostState> {
  ip("link", "set", ifname, "mtu", "1400", "txqueuelen", "555", "alias", "spare", "up");
  ip("link", "property", "add", "dev", ifname, "altname", `${ifname}-alt`);
  ip("addr", "add", "10.73.0.5/24", "dev", ifname);
  ip("addr", "add", "fd73::5/64", "dev", ifname, "nodad");
  ip("route", "add", "10.74.0.0/16", "via", "10.73.0.1", "dev", ifname, "metric", "77");
  await eventually(`${ifname} has settled`, () => {
    const text = ip("addr", "show", "dev", ifname);
    return text.includes("inet6 fe80:") && !text.includes("tentative");
  });
  return hostState(ifname);
}

/** The PF as `ip` tells it, with what it has set for each VF. */
export function pfState(): unknown {
  return ipJson("-d", "link", "show", PF)[0];
}

/** What the PF has set for one VF. */
export function vfInfo(index: number): Readonly<Record<string, unknown>> {
  const { vfinfo_list: list } = pfState() as { vfinfo_list: readonly Readonly<Record<string, unknown>>[] };
  return list[index] ?? {};
}

/** Link and PF are as before. A VF whose PF gives it no address draws a permanent one each time that its driver binds. */
export async function expectHome(ifname: string, before: HostState, pf: unknown): Promise<void> {
  await eventually(`${ifname} is home`, () => hasLink(ifname));
  await expectHostState(ifname, before, withoutChance);
  expect(pfState()).toEqual(pf);
}

function withoutChance(state: HostState): unknown {
  const text = JSON.stringify(state, (key, value) => (key === "ifindex" || key === "permaddr" ? undefined : value));
  return JSON.parse(text);
}

/** `undefined` without one. */
export function driverOf(address: string): string | undefined {
  const link = `/sys/bus/pci/devices/${address}/driver`;
  return existsSync(link) ? readlinkSync(link).split("/").at(-1) : undefined;
}
