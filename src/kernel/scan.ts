import { listAddresses } from "../netlink/addresses.ts";
import { listLinks } from "../netlink/links.ts";
import { listRoutes, routeTo } from "../netlink/routes.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { readLinkLocations } from "../sysfs/net.ts";
import { readNumaNodes } from "../sysfs/numa.ts";
import { readPciDevices } from "../sysfs/pci.ts";
import type { HostFacts, KernelCalls } from "./calls.ts";
import { EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH, isErrno } from "./errnos.ts";
import { scanPrograms } from "./link-programs.ts";
import type { Namespaces } from "./namespaces.ts";
import { scanRdma } from "./scan-rdma.ts";

/** Reads what the host is: links in the kernel's words, and where they stand in the device tree. */
export function scanHost(namespaces: Namespaces, request: Parameters<KernelCalls["scan"]>[0]): HostFacts {
  const rdma = scanRdma(request.sysfsRoot, (read) => namespaces.withRdma("host", read));
  return namespaces.withSocket("host", (socket) => ({ ...scanLinks(socket, request), rdma }));
}

function scanLinks(socket: NetlinkSocket, request: Parameters<KernelCalls["scan"]>[0]): Omit<HostFacts, "rdma"> {
  const links = listLinks(socket);
  const ifnames = links.map((link) => link.ifname);
  return {
    links,
    addresses: listAddresses(socket),
    defaultRoutes: listRoutes(socket, { onlyDefault: true }),
    routedBy: routedBy(socket, request.routeTo),
    locations: readLinkLocations(request.sysfsRoot, ifnames),
    pci: readPciDevices(request.sysfsRoot),
    numaNodes: readNumaNodes(request.sysfsRoot),
    ...scanPrograms(socket, links),
  };
}

function routedBy(socket: NetlinkSocket, destinations: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const destination of destinations) {
    const ifindex = tryRoute(socket, destination);
    if (ifindex !== undefined) found[destination] = ifindex;
  }
  return found;
}

/** `undefined` when no route leads there (a prohibiting one answers EACCES, a blackhole EINVAL). */
function tryRoute(socket: NetlinkSocket, destination: string): number | undefined {
  try {
    return routeTo(socket, destination.includes(":") ? "ipv6" : "ipv4", destination);
  } catch (error) {
    if (isErrno(error, ENETUNREACH, EHOSTUNREACH, EINVAL, EACCES)) return undefined;
    throw error;
  }
}
