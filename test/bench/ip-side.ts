/**
 * The same with iproute2, in as few processes as it allows: one moves, one configures. It takes no snapshot and verifies
 * nothing; who calls it has to know what to restore.
 */

import { writeFileSync } from "node:fs";
import { type BenchPlace, LINK, POD_LINK, POD_MTU, POD_ROUTE, POD_V4, POD_V6 } from "./place.ts";

const ATTACH = `
link set dev ${LINK} mtu ${POD_MTU}
link set dev ${LINK} name ${POD_LINK}
address add ${POD_V4} dev ${POD_LINK}
address add ${POD_V6} dev ${POD_LINK}
link set dev ${POD_LINK} up
route add ${POD_ROUTE.destination} via ${POD_ROUTE.gateway} dev ${POD_LINK} proto static
`;
const DETACH = `
link set dev ${LINK} mtu 1500
address add 10.80.0.2/24 dev ${LINK}
address add 10.81.0.2/24 dev ${LINK}
address add fd80::2/64 dev ${LINK} nodad
link set dev ${LINK} up
route add 10.82.0.0/16 via 10.80.0.1 dev ${LINK} metric 200 proto static
neigh add 10.80.0.77 lladdr 02:00:00:00:00:77 nud permanent dev ${LINK}
`;

export class IpSide {
  readonly #pod: string;

  constructor(place: BenchPlace) {
    this.#pod = place.pod.name;
  }

  /** Answers milliseconds. */
  attach(): number {
    const startMs = performance.now();
    ip(["link", "set", "dev", LINK, "netns", this.#pod]);
    ip(["-n", this.#pod, "-batch", "-"], ATTACH);
    return performance.now() - startMs;
  }

  detach(): number {
    const startMs = performance.now();
    ip(["-n", this.#pod, "link", "set", "dev", POD_LINK, "name", LINK, "netns", String(process.pid)]);
    writeFileSync(`/proc/sys/net/ipv4/conf/${LINK}/rp_filter`, "2");
    ip(["-batch", "-"], DETACH);
    return performance.now() - startMs;
  }
}

function ip(args: readonly string[], stdin = ""): void {
  const { success, stderr } = Bun.spawnSync(["ip", ...args], { stdin: Buffer.from(stdin) });
  if (!success) throw new Error(`ip ${args.join(" ")}: ${stderr.toString().trim()}`);
}
