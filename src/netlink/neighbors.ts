/** Neighbours: list and change. */

import { NlMessage } from "../../ffi/libnl.ts";
import { neighborAddMessage, neighborDeleteMessage } from "../../ffi/libnl-route.ts";
import { u32 } from "./attribute-writer.ts";
import * as k from "./constants.ts";
import type { Neighbor } from "./neighbor.ts";
import { decodeNeighbor, encodeNdmsg, neighborFields } from "./neighbor-codec.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Of both families, entries for which the kernel answers in a neighbour's stead (NTF_PROXY) included. */
export function listNeighbors(socket: NetlinkSocket, ifindex?: number): Neighbor[] {
  return [0, k.NTF_PROXY].flatMap((flags) => {
    const build = () => {
      const message = new NlMessage(k.RTM_GETNEIGH, k.NLM_F_REQUEST | k.NLM_F_DUMP).append(encodeNdmsg(0, flags));
      return ifindex === undefined ? message : message.put(k.NDA_IFINDEX, u32(ifindex));
    };
    const found = socket.dump("RTM_GETNEIGH", "neighbours", build, (answer) =>
      answer.type === k.RTM_NEWNEIGH ? decodeNeighbor(answer.payload) : undefined,
    );
    // Kernels before 4.4 do not know the filter.
    return ifindex === undefined ? found : found.filter((neighbor) => neighbor.ifindex === ifindex);
  });
}

/** Adds the neighbour to the link `ifindex`, or changes the one that is there. */
export function putNeighbor(socket: NetlinkSocket, ifindex: number, neighbor: Neighbor): void {
  using message = neighborAddMessage(neighborFields(neighbor, ifindex), k.NLM_F_CREATE | k.NLM_F_REPLACE);
  socket.request("RTM_NEWNEIGH", nameOf(ifindex, neighbor), message);
}

/** Throws SysError ENOENT when there is no such neighbour. */
export function removeNeighbor(socket: NetlinkSocket, ifindex: number, neighbor: Neighbor): void {
  using message = neighborDeleteMessage(neighborFields(neighbor, ifindex));
  socket.request("RTM_DELNEIGH", nameOf(ifindex, neighbor), message);
}

function nameOf(ifindex: number, { destination }: Neighbor): string {
  return `neighbour ${destination} of link ${ifindex}`;
}
