import { openPacketSocket } from "../../ffi/dhcp-socket.ts";
import type { KernelCalls } from "./calls.ts";
import type { Namespaces } from "./namespaces.ts";

/** The thread is in the namespace while the socket is opened, and no longer. Throws SysError (ENODEV, EPERM). */
export function openDhcpSocket(
  namespaces: Namespaces,
  { netns, ifindex }: Parameters<KernelCalls["openDhcpSocket"]>[0],
): ReturnType<KernelCalls["openDhcpSocket"]> {
  return { fd: namespaces.inside(netns, () => openPacketSocket(ifindex)).release() };
}
