/** The demo's "machine": two links with something to lose, each cabled to a neighbour that answers pings. */

import { existsSync } from "node:fs";
import type { HeldNetns, Kernel } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { type Address, IFA_F_NODAD } from "../netlink/address.ts";
import { NUD_PERMANENT } from "../netlink/neighbor.ts";
import { type Route, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN, RTN_UNICAST, RTPROT_STATIC } from "../netlink/route.ts";

export const FAST_LINK = "fast0";
export const SLOW_LINK = "slow0";
/** Addresses are those of RFC 5737 and RFC 3849, for documentation. */
export const NEIGHBOR_ADDRESS = "192.0.2.1";
/** Behind the neighbour: it answers only those who have a route. */
export const FAR_ADDRESS = "198.51.100.1";
export const FAR_NETWORK = "198.51.100.0/24";

const LOOPBACK_IFINDEX = 1;
const FAST_MTU = 9000;
const SLOW_MTU = 1500;
const POLICY_TABLE = 100;

/** Makes the links. `neighbor` is the namespace at the other end of the cables. */
export async function makeHome(kernel: Kernel, neighbor: HeldNetns): Promise<void> {
  await apply(kernel, "host", LOOPBACK_IFINDEX, [{ op: "up" }]);
  await apply(kernel, neighbor, LOOPBACK_IFINDEX, [{ op: "up" }, address(`${FAR_ADDRESS}/32`)]);
  const fast = await makeCable(kernel, neighbor, FAST_LINK, FAST_MTU);
  const slow = await makeCable(kernel, neighbor, SLOW_LINK, SLOW_MTU);
  await apply(kernel, neighbor, fast.far, [address(`${NEIGHBOR_ADDRESS}/24`)]);
  await apply(kernel, "host", slow.near, [address("203.0.113.2/24")]);
  await apply(kernel, "host", fast.near, homeSteps(existsSync("/proc/sys/net/ipv6")));
}

/** What the fast link has at home, and has to have again when it is back. */
function homeSteps(hasIpv6: boolean): readonly LinkStep[] {
  const sixes: readonly LinkStep[] = hasIpv6
    ? [address("2001:db8:7::2/64"), route({ destination: "2001:db8:8::/64", gateway: "2001:db8:7::1" })]
    : [];
  return [
    { op: "setAlias", alias: "rack 7, port 2" },
    { op: "setTxQueueLen", txQueueLen: 500 },
    { op: "setSysctl", sysctl: { family: "ipv4", table: "conf", key: "arp_announce", value: "2" } },
    address("192.0.2.2/24"),
    address("192.0.2.22/32"),
    route({ destination: FAR_NETWORK, gateway: NEIGHBOR_ADDRESS, priority: 50 }),
    route({ destination: "198.51.100.128/25", gateway: NEIGHBOR_ADDRESS, table: POLICY_TABLE }),
    {
      op: "addNeighbor",
      neighbor: {
        ifindex: 0,
        family: "ipv4",
        destination: "192.0.2.77",
        address: "02:00:00:00:00:77",
        state: NUD_PERMANENT,
        flags: 0,
      },
    },
    ...sixes,
  ];
}

/** A veth pair whose far end stands in the neighbour's namespace; both ends are up. */
async function makeCable(
  kernel: Kernel,
  neighbor: HeldNetns,
  ifname: string,
  mtu: number,
): Promise<{ readonly near: number; readonly far: number }> {
  const peerName = `to-${ifname}`;
  const { ifindex: near } = await kernel.createLink({ netns: "host", link: { ifname, kind: "veth", peerName, mtu } });
  const links = await kernel.listLinks({ netns: "host" });
  const peer = links.find((link) => link.ifname === peerName);
  if (peer === undefined) throw new Error(`The kernel made ${ifname} without its other end ${peerName}.`);
  const { ifindex: far } = await kernel.moveLink({
    from: "host",
    ifindex: peer.ifindex,
    to: neighbor,
    temporaryName: peerName,
  });
  await apply(kernel, neighbor, far, [{ op: "setMtu", mtu }, { op: "up" }]);
  await apply(kernel, "host", near, [{ op: "up" }]);
  return { near, far };
}

async function apply(
  kernel: Kernel,
  netns: "host" | HeldNetns,
  ifindex: number,
  steps: readonly LinkStep[],
): Promise<void> {
  await kernel.applySteps({ netns, ifindex, steps, onFailure: "stop" });
}

function address(cidr: string): LinkStep {
  const [local = "", length = ""] = cidr.split("/");
  const family = local.includes(":") ? "ipv6" : "ipv4";
  // Duplicate address detection would make the demo wait for a second.
  const flags = family === "ipv6" ? IFA_F_NODAD : 0;
  const added: Address = { ifindex: 0, family, local, prefixLength: Number(length), scope: RT_SCOPE_UNIVERSE, flags };
  return { op: "addAddress", address: added };
}

function route(given: Pick<Route, "destination" | "gateway" | "priority"> & { readonly table?: number }): LinkStep {
  const added: Route = {
    family: given.destination.includes(":") ? "ipv6" : "ipv4",
    table: RT_TABLE_MAIN,
    protocol: RTPROT_STATIC,
    scope: RT_SCOPE_UNIVERSE,
    type: RTN_UNICAST,
    tos: 0,
    flags: 0,
    attributes: [],
    ...given,
  };
  return { op: "addRoute", route: added };
}
