/** Addresses of links: list and change. */

import { NlMessage } from "../../ffi/libnl.ts";
import { addressAddMessage, addressDeleteMessage } from "../../ffi/libnl-route.ts";
import type { Address } from "./address.ts";
import { addressFields, decodeAddress, putOtherFields } from "./address-codec.ts";
import * as k from "./constants.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Of both families; of one link when `ifindex` is given. */
export function listAddresses(socket: NetlinkSocket, ifindex = 0): Address[] {
  const build = () => {
    const header = new Uint8Array(8);
    new DataView(header.buffer).setUint32(4, ifindex, true);
    return new NlMessage(k.RTM_GETADDR, k.NLM_F_REQUEST | k.NLM_F_DUMP).append(header);
  };
  const target = ifindex === 0 ? "all addresses" : `addresses of link ${ifindex}`;
  const found = socket.dump("RTM_GETADDR", target, build, (answer) =>
    answer.type === k.RTM_NEWADDR ? decodeAddress(answer.payload) : undefined,
  );
  // Kernels before 4.20 do not know the filter.
  return ifindex === 0 ? found : found.filter((address) => address.ifindex === ifindex);
}

/** Adds the address to the link `ifindex`; one that is there gets the new lifetimes and flags. */
export function putAddress(socket: NetlinkSocket, ifindex: number, address: Address): void {
  using message = addressAddMessage(addressFields(address, ifindex), k.NLM_F_REPLACE);
  putOtherFields(message, address);
  socket.request("RTM_NEWADDR", nameOf(ifindex, address), message);
}

/** Throws SysError EADDRNOTAVAIL when the link has no such address. */
export function removeAddress(socket: NetlinkSocket, ifindex: number, address: Address): void {
  using message = addressDeleteMessage(addressFields(address, ifindex));
  putOtherFields(message, address);
  socket.request("RTM_DELADDR", nameOf(ifindex, address), message);
}

function nameOf(ifindex: number, { local, prefixLength }: Address): string {
  return `address ${local}/${prefixLength} of link ${ifindex}`;
}
