/** Links of the host that a test makes, and removes with everything that hangs on them. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Runs `ip`; throws with what it said. */
export function ip(...args: readonly string[]): string {
  const result = Bun.spawnSync(["ip", ...args]);
  if (!result.success) throw new Error(`ip ${args.join(" ")}: ${result.stderr.toString().trim()}`);
  return result.stdout.toString();
}

export function ipJson(...args: readonly string[]): unknown[] {
  const text = ip("-j", ...args).trim();
  return text === "" ? [] : JSON.parse(text);
}

export function hasLink(ifname: string): boolean {
  return Bun.spawnSync(["ip", "link", "show", "dev", ifname]).success;
}

let counter = 0;

/** A short name that no other test on this machine uses: at most 8 characters. */
export function uniqueName(prefix: string): string {
  return `${prefix}${(process.pid % 1296).toString(36)}${(counter++).toString(36)}`;
}

/** Runs ip commands in reverse at the end; one that fails because its object is gone already is no matter. */
export class HostLinks implements Disposable {
  readonly #undo: (readonly string[])[] = [];

  /** A veth pair with a peer in a namespace of its own, where `peerAddress` answers. Returns the names. */
  vethToPeer(peerAddresses: readonly string[] = []): {
    readonly ifname: string;
    readonly peer: string;
    readonly netns: string;
  } {
    const ifname = uniqueName("v");
    const peer = `${ifname}p`;
    const netns = `nft-${ifname}`;
    this.run(["netns", "add", netns], ["netns", "del", netns]);
    this.run(["link", "add", ifname, "type", "veth", "peer", "name", peer, "netns", netns], ["link", "del", ifname]);
    for (const address of peerAddresses) ip("-n", netns, "addr", "add", address, "dev", peer, ...nodad(address));
    ip("-n", netns, "link", "set", peer, "up");
    return { ifname, peer, netns };
  }

  run(command: readonly string[], undo?: readonly string[]): void {
    ip(...command);
    if (undo !== undefined) this.#undo.push(undo);
  }

  [Symbol.dispose](): void {
    for (const command of this.#undo.toReversed()) Bun.spawnSync(["ip", ...command]);
  }
}

/** A test has no second to wait until the kernel has looked for the address elsewhere. */
function nodad(address: string): readonly string[] {
  return address.includes(":") ? ["nodad"] : [];
}

export function sysctlPath(family: "ipv4" | "ipv6", ifname: string, key: string): string {
  return join("/proc/sys/net", family, "conf", ifname, key);
}

export function readSysctl(family: "ipv4" | "ipv6", ifname: string, key: string): string {
  return readFileSync(sysctlPath(family, ifname, key), "utf8").trim();
}

export function writeSysctl(family: "ipv4" | "ipv6", ifname: string, key: string, value: string): void {
  writeFileSync(sysctlPath(family, ifname, key), value);
}
