/** Small makers of values for unit tests. */

import type { LinkSnapshot } from "../kernel/calls.ts";
import type { Link } from "../netlink/link.ts";
import type { ClaimDevice, HeldLease } from "./record.ts";

export function link(over: Partial<Link> = {}): Link {
  return {
    ifindex: 7,
    ifname: "eth1",
    arpType: 1,
    flags: 0x1003,
    mtu: 1500,
    altnames: [],
    txQueueLen: 1000,
    operstate: 6,
    group: 0,
    address: "02:00:00:00:00:01",
    ...over,
  };
}

export function snapshot(over: Partial<LinkSnapshot> = {}): LinkSnapshot {
  return { takenAtMs: 0, link: link(), addresses: [], routes: [], neighbors: [], sysctls: [], ...over };
}

export function claimDevice(over: Partial<ClaimDevice> & { readonly sandboxId?: string }): ClaimDevice {
  const { sandboxId, ...rest } = over;
  return {
    claimUid: "claim",
    request: "nic",
    device: "eth1",
    shareId: "",
    claimNamespace: "ns",
    claimName: "c",
    pool: "node",
    podUid: "pod",
    podNamespace: "ns",
    podName: "p",
    published: { name: "eth1", identity: { ifname: "eth1" }, attributes: {} },
    plan: { ifname: "net1", steps: [] },
    state: "prepared",
    ...(sandboxId === undefined
      ? {}
      : {
          attachment: {
            sandboxId,
            netnsPath: `/run/netns/${sandboxId}`,
            netnsInode: 1,
            temporaryName: "nfabc",
            ifindex: 7,
            snapshot: snapshot(),
            late: false,
          },
        }),
    ...rest,
  };
}

/** For ever, unless `over` says how long. */
export function aLease(over: Partial<HeldLease> = {}): HeldLease {
  return {
    address: "10.0.0.9",
    prefixLength: 24,
    server: "10.0.0.1",
    serverHardwareAddress: "02:00:00:00:00:02",
    hardwareAddress: "02:00:00:00:00:01",
    takenAtMs: 0,
    routes: [],
    metric: 1024,
    ...over,
  };
}
