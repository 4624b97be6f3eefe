/** Where links are attached and detached for the clock: a link as a host has it, and the namespace of a pod. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, ip, TestNetns } from "../lab/netns.ts";

export const LINK = "bench0";
export const POD_LINK = "net1";
export const POD_MTU = 1400;
export const POD_V4 = "10.90.0.2/24";
export const POD_V6 = "fd90::2/64";
export const POD_ROUTE = { destination: "10.91.0.0/16", gateway: "10.90.0.1" } as const;

/**
 * The network namespace of this process must be one of its own: it plays the host. Its link has two IPv4 addresses and
 * one IPv6 address, a route, a permanent neighbour and a sysctl that is not the default: all must come back each time.
 */
export class BenchPlace implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "netferry-bench-"));
  readonly pod = new TestNetns("nfb");
  readonly #peer = new TestNetns("nfb");

  constructor() {
    ip("link", "set", "lo", "up");
    this.pod.ip("link", "set", "lo", "up");
    ip("link", "add", LINK, "type", "veth", "peer", "name", "peer0", "netns", this.#peer.name);
    this.#peer.ip("link", "set", "peer0", "up");
    writeFileSync(`/proc/sys/net/ipv4/conf/${LINK}/rp_filter`, "2");
    ip("link", "set", LINK, "up");
    ip("address", "add", "10.80.0.2/24", "dev", LINK);
    ip("address", "add", "10.81.0.2/24", "dev", LINK);
    ip("address", "add", "fd80::2/64", "dev", LINK, "nodad");
    ip("route", "add", "10.82.0.0/16", "via", "10.80.0.1", "dev", LINK, "metric", "200", "proto", "static");
    ip("neigh", "add", "10.80.0.77", "lladdr", "02:00:00:00:00:77", "nud", "permanent", "dev", LINK);
  }

  /** Resolves when no address of the link waits for the kernel's look around. */
  async settled(): Promise<void> {
    await eventually(
      `${LINK} has no tentative address`,
      () => !ip("address", "show", "dev", LINK).includes("tentative"),
    );
  }

  /** What of the link must be the same after each round, in iproute2's words. */
  state(): string {
    return [
      ip("-o", "address", "show", "dev", LINK, "scope", "global"),
      ip("route", "show", "dev", LINK),
      ip("neigh", "show", "dev", LINK, "nud", "permanent"),
    ]
      .join("")
      .replace(/^\d+: /gm, "");
  }

  [Symbol.dispose](): void {
    this.pod[Symbol.dispose]();
    this.#peer[Symbol.dispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
