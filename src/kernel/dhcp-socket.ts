import { openPacketSocket, openUnicastSocket } from "../../ffi/dhcp-socket.ts";
import { parseIp } from "../netlink/ip.ts";
import { requireLink } from "../netlink/links.ts";
import type { KernelCalls } from "./calls.ts";
import type { Namespaces } from "./namespaces.ts";

/** The thread is in the namespace while the socket is opened, and no longer. Throws SysError (ENODEV, EADDRNOTAVAIL). */
export function openDhcpSocket(
  namespaces: Namespaces,
  { netns, ifindex, unicast }: Parameters<KernelCalls["openDhcpSocket"]>[0],
): ReturnType<KernelCalls["openDhcpSocket"]> {
  if (unicast === undefined) return { fd: namespaces.inside(netns, () => openPacketSocket(ifindex)).release() };
  const { ifname } = namespaces.withSocket(netns, (socket) => requireLink(socket, ifindex));
  const [local, server] = [parseIp("ipv4", unicast.local), parseIp("ipv4", unicast.server)];
  return { fd: namespaces.inside(netns, () => openUnicastSocket(ifname, local, server)).release() };
}
