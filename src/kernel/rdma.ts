/** RDMA devices for attach and detach. */

import { statSync } from "node:fs";
import { inNewNetns } from "../../ffi/netns.ts";
import { SysError } from "../../ffi/sys-error.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { RDMA_DRIVER_RXE, RDMA_DRIVER_SIW } from "../rdma/constants.ts";
import { type CharDeviceType, charDevice, listDevices, listPorts, netnsMode } from "../rdma/nldev.ts";
import { addLink, deleteLink, renameDevice, type SoftwareKind, setNetns } from "../rdma/nldev-changes.ts";
import type { CharDevice, NldevDevice } from "../rdma/nldev-codec.ts";
import type { RdmaCalls, RdmaNodes } from "./calls.ts";
import type { DeviceNode } from "./device-node.ts";
import { ENODEV, EOPNOTSUPP, isErrno } from "./errnos.ts";
import type { Namespaces } from "./namespaces.ts";

/** Where udev and devtmpfs put them. */
const DIRECTORY = "/dev/infiniband";
const KINDS: Readonly<Record<number, SoftwareKind>> = { [RDMA_DRIVER_RXE]: "rxe", [RDMA_DRIVER_SIW]: "siw" };

export function rdmaCalls(namespaces: Namespaces): RdmaCalls {
  return {
    readRdma: ({ netns }) =>
      namespaces.withRdma(netns, (socket) => {
        const mode = netnsMode(socket);
        return {
          ...(mode === undefined ? {} : { netnsMode: mode }),
          devices: listDevices(socket).map((device) => ({ ...device, ports: listPorts(socket, device) })),
        };
      }),
    rdmaNodes: ({ netns, name, types }) =>
      namespaces.withRdma(netns, (socket) => readNodes(socket, requireDevice(socket, name), types)),
    canMoveRdma: ({ name }) =>
      namespaces.withRdma("host", (socket) => canMove(namespaces, socket, requireDevice(socket, name))),
    moveRdma: ({ from, name, to }) =>
      namespaces.withRdma(from, (socket) => {
        const device = requireDevice(socket, name);
        namespaces.inside(from, () => setNetns(socket, device, namespaces.descriptor(to)));
      }),
    renameRdma: ({ name, newName }) =>
      namespaces.withRdma("host", (socket) => renameDevice(socket, requireDevice(socket, name), newName)),
    addRdmaLink: ({ netns, name, kind, ifname }) =>
      namespaces.withRdma(netns, (socket) => addLink(socket, name, kind, ifname)),
    deleteRdmaLink: ({ netns, name }) =>
      namespaces.withRdma(netns, (socket) => {
        const device = find(socket, name);
        if (device !== undefined) deleteLink(socket, device);
      }),
  };
}

function find(socket: NetlinkSocket, name: string): NldevDevice | undefined {
  return listDevices(socket).find((device) => device.name === name);
}

function requireDevice(socket: NetlinkSocket, name: string): NldevDevice {
  const device = find(socket, name);
  if (device === undefined) throw new SysError("RDMA_NLDEV_CMD_GET", ENODEV, `RDMA device ${name}`);
  return device;
}

/**
 * The kernel looks first whether mode and driver can do it, and then whether this thread is in the device's namespace
 * (drivers/infiniband/core/device.c, ib_device_set_netns_put() and rdma_dev_change_netns()): asked out of a namespace of
 * its own, it answers without touching a device that is in use.
 */
function canMove(namespaces: Namespaces, socket: NetlinkSocket, device: NldevDevice): boolean {
  return inNewNetns((fd) => {
    try {
      setNetns(socket, device, fd);
    } catch (error) {
      if (isErrno(error, EOPNOTSUPP)) return false;
      if (isErrno(error, ENODEV)) return true;
      throw error;
    }
    // A kernel that does not look where the thread is has moved it.
    namespaces.withRdma({ fd }, (there) =>
      setNetns(there, requireDevice(there, device.name), namespaces.descriptor("host")),
    );
    return true;
  });
}

function readNodes(socket: NetlinkSocket, device: NldevDevice, types: readonly CharDeviceType[]): RdmaNodes {
  const nodes: DeviceNode[] = [];
  const missing: CharDeviceType[] = [];
  let kind: SoftwareKind | undefined;
  for (const type of types) {
    const found = charDevices(socket, device, type);
    if (found.length === 0) missing.push(type);
    for (const one of found) {
      nodes.push(deviceNode(one));
      kind ??= KINDS[one.driverId ?? 0];
    }
  }
  return { nodes, missing, ...(kind === undefined ? {} : { kind }) };
}

function charDevices(socket: NetlinkSocket, device: NldevDevice, type: CharDeviceType): readonly CharDevice[] {
  if (type === "rdma_cm") return [charDevice(socket, type) ?? []].flat();
  if (type === "uverbs") return [charDevice(socket, type, device) ?? []].flat();
  return listPorts(socket, device).flatMap(({ number }) => charDevice(socket, type, device, number) ?? []);
}

/** With the mode that the host's file has; where there is none, or an old one, the runtime's default. */
function deviceNode({ name, major, minor }: CharDevice): DeviceNode {
  const path = `${DIRECTORY}/${name}`;
  const node = { path, major, minor, permissions: "rw" };
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined || !isDevice(file.rdev, major, minor)) return node;
  return { ...node, mode: file.mode & 0o777, uid: file.uid, gid: file.gid };
}

/** `st_rdev` as glibc's makedev() joins it. */
function isDevice(rdev: number, major: number, minor: number): boolean {
  return ((rdev >>> 8) & 0xfff) === major && ((rdev & 0xff) | ((rdev >>> 12) & 0xfff00)) === minor;
}
