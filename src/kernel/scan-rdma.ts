/** RDMA devices by every source that this host has. */

import { openVerbs, type Verbs } from "../../ffi/ibverbs.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { type RdmaFacts, readRdma } from "../rdma/facts.ts";
import { joinRdma, type NldevFacts } from "../rdma/join.ts";
import { listDevices, listPorts, netnsMode } from "../rdma/nldev.ts";
import { EPROTONOSUPPORT, isErrno } from "./errnos.ts";

/** Kept once it is there: it may be installed while the agent runs. */
let verbs: Verbs | undefined;

/**
 * `ask` opens the netlink socket. It is asked only where sysfs has the class: opening one loads the kernel's RDMA core,
 * which is not ours to do.
 */
export function scanRdma(
  sysfsRoot: string,
  ask: (read: (socket: NetlinkSocket) => NldevFacts) => NldevFacts,
): RdmaFacts {
  const seen = readRdma(sysfsRoot);
  if (!seen.supported) return seen;
  const told = unlessMissing(() => ask(readNldev));
  const joined = joinRdma(seen, told, undefined);
  return joined.devices.length === 0 ? joined : joinRdma(seen, told, verbsNames());
}

function readNldev(socket: NetlinkSocket): NldevFacts {
  const mode = netnsMode(socket);
  return {
    ...(mode === undefined ? {} : { netnsMode: mode }),
    devices: listDevices(socket).map((device) => ({ ...device, ports: listPorts(socket, device) })),
  };
}

function verbsNames(): ReadonlySet<string> | undefined {
  verbs ??= openVerbs();
  return verbs === undefined ? undefined : new Set(verbs.listDevices().map(({ name }) => name));
}

/** Sysfs alone tells enough where the kernel was built without the netlink protocol. */
function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, EPROTONOSUPPORT)) return undefined;
    throw error;
  }
}
