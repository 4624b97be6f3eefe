/** The calls themselves: synchronous, in the thread that makes them. A kernel Worker is this behind messages. */

import { holdNetns } from "../../ffi/netns.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { describeError } from "../lib/errors.ts";
import { listAddresses } from "../netlink/addresses.ts";
import { createLink, deleteLink, getLink, listLinks } from "../netlink/links.ts";
import { listNeighbors } from "../netlink/neighbors.ts";
import { listRoutes } from "../netlink/routes.ts";
import { listRules } from "../netlink/rules.ts";
import { bindDriver, setNumVfs } from "../sysfs/bind.ts";
import { readCharDevice } from "../sysfs/char-device.ts";
import { hasPciDriver, isWritable, readFunction } from "../sysfs/function.ts";
import { readNumber } from "../sysfs/read.ts";
import { applyStep } from "./apply-step.ts";
import type { FailedStep, KernelCalls } from "./calls.ts";
import { clearLink } from "./clear-link.ts";
import { openDhcpSocket } from "./dhcp-socket.ts";
import { accepting, ENODEV } from "./errnos.ts";
import { moveLink } from "./move-link.ts";
import { Namespaces } from "./namespaces.ts";
import { rdmaCalls } from "./rdma.ts";
import { scanHost } from "./scan.ts";
import { snapshotLink } from "./snapshot.ts";
import type { StepTarget } from "./step-target.ts";
import { readVf, setVfSettings } from "./vf.ts";

/** Disposing closes the host's socket. Everything happens in the namespace of the calling thread or one named by a call. */
export function kernelCalls(): KernelCalls & Disposable {
  const namespaces = new Namespaces();
  return {
    scan: (request) => scanHost(namespaces, request),
    holdNetns: ({ path }) => {
      const { fd, inode } = holdNetns(path);
      return { fd: fd.release(), inode };
    },
    listLinks: ({ netns }) => namespaces.withSocket(netns, listLinks),
    listAddresses: ({ netns, ifindex }) => namespaces.withSocket(netns, (socket) => listAddresses(socket, ifindex)),
    readNamespace: ({ netns }) =>
      namespaces.withSocket(netns, (socket) => ({
        links: listLinks(socket),
        addresses: listAddresses(socket),
        routes: listRoutes(socket),
        rules: listRules(socket),
        neighbors: listNeighbors(socket),
      })),
    listRules: ({ netns }) => namespaces.withSocket(netns, listRules),
    snapshotLink: ({ netns, ifindex }) => snapshotLink(namespaces, netns, ifindex),
    moveLink: ({ from, ifindex, to, temporaryName }) =>
      namespaces.withSocket(from, (fromSocket) =>
        namespaces.withSocket(to, (toSocket) => {
          const fromFd = namespaces.descriptor(from);
          const toFd = namespaces.descriptor(to);
          return { ifindex: moveLink({ from: fromSocket, to: toSocket, fromFd, toFd }, ifindex, temporaryName) };
        }),
      ),
    applySteps: (request) => applySteps(namespaces, request),
    clearLink: (request) => clearLink(namespaces, request),
    openDhcpSocket: (request) => openDhcpSocket(namespaces, request),
    createLink: ({ netns, link, into = netns }) => {
      const place = into === netns ? {} : { netnsFd: namespaces.descriptor(into) };
      namespaces.withSocket(netns, (socket) => createLink(socket, { ...link, ...place }));
      const made = namespaces.withSocket(into, (socket) => getLink(socket, { ifname: link.ifname }));
      if (made === undefined) throw new SysError("RTM_NEWLINK", ENODEV, `new ${link.kind} ${link.ifname}`);
      return { ifindex: made.ifindex };
    },
    deleteLink: ({ netns, ifindex }) =>
      namespaces.withSocket(netns, (socket) => accepting([ENODEV], () => deleteLink(socket, ifindex))),
    ...rdmaCalls(namespaces),
    readFunction: ({ sysfsRoot, address, drivers }) => {
      const found = readFunction(sysfsRoot, address);
      const known = drivers.filter((driver) => hasPciDriver(sysfsRoot, driver));
      return found === undefined
        ? undefined
        : { function: found, drivers: known, writable: isWritable(sysfsRoot, address) };
    },
    bindDriver: ({ sysfsRoot, ...request }) => bindDriver(sysfsRoot, request),
    readAddressKind: ({ sysfsRoot, ifname }) => readNumber(`${sysfsRoot}/class/net/${ifname}/addr_assign_type`),
    readVf: (request) => namespaces.withSocket("host", (socket) => readVf(socket, request)),
    setVf: (request) => namespaces.withSocket("host", (socket) => setVfSettings(socket, request)),
    setNumVfs: ({ sysfsRoot, pf, from, to }) => setNumVfs(sysfsRoot, pf, from, to),
    readCharDevice: ({ sysfsRoot, className, name }) => readCharDevice(sysfsRoot, className, name),
    [Symbol.dispose]: () => namespaces[Symbol.dispose](),
  };
}

function applySteps(
  namespaces: Namespaces,
  { netns, ifindex, wasIfindex, steps, onFailure }: Parameters<KernelCalls["applySteps"]>[0],
): ReturnType<KernelCalls["applySteps"]> {
  return namespaces.withSocket(netns, (socket) => {
    const target: StepTarget = {
      socket,
      ifindex,
      wasIfindex,
      inside: (task) => namespaces.inside(netns, task),
      withGeneric: (task) => namespaces.withGeneric(netns, task),
    };
    const failed: FailedStep[] = [];
    for (const step of steps) {
      try {
        applyStep(target, step);
      } catch (error) {
        if (onFailure === "stop") throw error;
        failed.push({
          step,
          problem: describeError(error),
          ...(error instanceof SysError ? { errno: error.errno } : {}),
        });
      }
    }
    return { failed };
  });
}
