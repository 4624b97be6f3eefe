/**
 * libnl-route-3: requests that change links, addresses and neighbours. What the library has no setter for is put on the
 * same message afterwards. Routes and rules are not among them: the library keeps only the attributes that it knows.
 */

import { dlopen, FFIType as T } from "bun:ffi";
import { cString } from "./libc.ts";
// Imported first: libnl-route needs libnl and finds the one that is loaded.
import { adoptMessage, buildAddress, checkNl, type NlMessage } from "./libnl.ts";
import { openLibrary } from "./library.ts";
import { ADDRESS, Owned } from "./owned.ts";

/** What is bound; test/abi holds it against the headers. */
export const LIBNL_ROUTE_SYMBOLS = {
  rtnl_link_alloc: { args: [], returns: T.ptr },
  rtnl_link_put: { args: [T.ptr], returns: T.void },
  rtnl_link_set_ifindex: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_link_set_name: { args: [T.ptr, T.ptr], returns: T.void },
  rtnl_link_set_addr: { args: [T.ptr, T.ptr], returns: T.void },
  rtnl_link_set_mtu: { args: [T.ptr, T.u32], returns: T.void },
  rtnl_link_set_txqlen: { args: [T.ptr, T.u32], returns: T.void },
  rtnl_link_set_group: { args: [T.ptr, T.u32], returns: T.void },
  rtnl_link_set_master: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_link_set_link: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_link_set_ns_fd: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_link_build_add_request: { args: [T.ptr, T.i32, T.ptr], returns: T.i32 },
  rtnl_link_build_change_request: { args: [T.ptr, T.ptr, T.i32, T.ptr], returns: T.i32 },
  rtnl_link_build_delete_request: { args: [T.ptr, T.ptr], returns: T.i32 },
  rtnl_addr_alloc: { args: [], returns: T.ptr },
  rtnl_addr_put: { args: [T.ptr], returns: T.void },
  rtnl_addr_set_ifindex: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_addr_set_family: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_addr_set_local: { args: [T.ptr, T.ptr], returns: T.i32 },
  rtnl_addr_set_peer: { args: [T.ptr, T.ptr], returns: T.i32 },
  rtnl_addr_set_broadcast: { args: [T.ptr, T.ptr], returns: T.i32 },
  rtnl_addr_set_prefixlen: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_addr_set_scope: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_addr_set_flags: { args: [T.ptr, T.u32], returns: T.void },
  rtnl_addr_set_label: { args: [T.ptr, T.ptr], returns: T.i32 },
  rtnl_addr_set_valid_lifetime: { args: [T.ptr, T.u32], returns: T.void },
  rtnl_addr_set_preferred_lifetime: { args: [T.ptr, T.u32], returns: T.void },
  rtnl_addr_build_add_request: { args: [T.ptr, T.i32, T.ptr], returns: T.i32 },
  rtnl_addr_build_delete_request: { args: [T.ptr, T.i32, T.ptr], returns: T.i32 },
  rtnl_neigh_alloc: { args: [], returns: T.ptr },
  rtnl_neigh_put: { args: [T.ptr], returns: T.void },
  rtnl_neigh_set_ifindex: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_neigh_set_state: { args: [T.ptr, T.i32], returns: T.void },
  rtnl_neigh_set_flags: { args: [T.ptr, T.u32], returns: T.void },
  rtnl_neigh_set_dst: { args: [T.ptr, T.ptr], returns: T.i32 },
  rtnl_neigh_set_lladdr: { args: [T.ptr, T.ptr], returns: T.void },
  rtnl_neigh_build_add_request: { args: [T.ptr, T.i32, T.ptr], returns: T.i32 },
  rtnl_neigh_build_delete_request: { args: [T.ptr, T.i32, T.ptr], returns: T.i32 },
} as const;

const { symbols: c } = openLibrary("libnl-route-3.so.200", (path) => dlopen(path, LIBNL_ROUTE_SYMBOLS));

const AF_LLC = 26; // the library's own family for hardware addresses

export interface LinkFields {
  readonly ifname?: string;
  /** Hardware address. */
  readonly address?: Uint8Array;
  readonly mtu?: number;
  readonly txQueueLen?: number;
  readonly group?: number;
  readonly master?: number;
  /** Index of the lower device. */
  readonly lower?: number;
  /** Descriptor of the namespace that the link is to be in. */
  readonly netnsFd?: number;
}

/** RTM_NEWLINK for a link that exists. */
export function linkChangeMessage(ifindex: number, fields: LinkFields): NlMessage {
  using known = allocLink();
  using changed = linkOf(fields);
  c.rtnl_link_set_ifindex(known[ADDRESS], ifindex);
  return adoptMessage("rtnl_link_build_change_request", `link ${ifindex}`, (result) =>
    c.rtnl_link_build_change_request(known[ADDRESS], changed[ADDRESS], 0, result),
  );
}

/** RTM_NEWLINK for a new link, without IFLA_LINKINFO: the caller puts its kind. `flags` as in `NLM_F_CREATE`. */
export function linkAddMessage(fields: LinkFields, flags: number): NlMessage {
  using link = linkOf(fields);
  return adoptMessage("rtnl_link_build_add_request", `link ${fields.ifname}`, (result) =>
    c.rtnl_link_build_add_request(link[ADDRESS], flags, result),
  );
}

/** RTM_DELLINK. */
export function linkDeleteMessage(ifindex: number): NlMessage {
  using link = allocLink();
  c.rtnl_link_set_ifindex(link[ADDRESS], ifindex);
  return adoptMessage("rtnl_link_build_delete_request", `link ${ifindex}`, (result) =>
    c.rtnl_link_build_delete_request(link[ADDRESS], result),
  );
}

function allocLink(): Owned {
  return new Owned("rtnl_link_alloc", c.rtnl_link_alloc(), c.rtnl_link_put);
}

function linkOf(fields: LinkFields): Owned {
  const link = allocLink();
  const at = link[ADDRESS];
  if (fields.ifname !== undefined) c.rtnl_link_set_name(at, cString(fields.ifname));
  if (fields.mtu !== undefined) c.rtnl_link_set_mtu(at, fields.mtu);
  if (fields.txQueueLen !== undefined) c.rtnl_link_set_txqlen(at, fields.txQueueLen);
  if (fields.group !== undefined) c.rtnl_link_set_group(at, fields.group);
  if (fields.master !== undefined) c.rtnl_link_set_master(at, fields.master);
  if (fields.lower !== undefined) c.rtnl_link_set_link(at, fields.lower);
  if (fields.netnsFd !== undefined) c.rtnl_link_set_ns_fd(at, fields.netnsFd);
  if (fields.address !== undefined) {
    using address = buildAddress(AF_LLC, fields.address);
    c.rtnl_link_set_addr(at, address[ADDRESS]);
  }
  return link;
}

export interface AddressFields {
  readonly ifindex: number;
  /** AF_INET 2, AF_INET6 10. */
  readonly family: number;
  readonly local: Uint8Array;
  readonly prefixLength: number;
  /** IPv4 only: libnl has no peers of IPv6. */
  readonly peer?: Uint8Array;
  readonly broadcast?: Uint8Array;
  readonly label?: string;
  readonly scope: number;
  readonly flags: number;
  /** Seconds; both or none. */
  readonly lifetime?: { readonly valid: number; readonly preferred: number };
}

/** RTM_NEWADDR with NLM_F_CREATE and `flags`. */
export function addressAddMessage(fields: AddressFields, flags: number): NlMessage {
  using address = addressOf(fields);
  return adoptMessage("rtnl_addr_build_add_request", `address on link ${fields.ifindex}`, (result) =>
    c.rtnl_addr_build_add_request(address[ADDRESS], flags, result),
  );
}

/** RTM_DELADDR. */
export function addressDeleteMessage(fields: AddressFields): NlMessage {
  using address = addressOf(fields);
  return adoptMessage("rtnl_addr_build_delete_request", `address on link ${fields.ifindex}`, (result) =>
    c.rtnl_addr_build_delete_request(address[ADDRESS], 0, result),
  );
}

function addressOf(fields: AddressFields): Owned {
  const address = new Owned("rtnl_addr_alloc", c.rtnl_addr_alloc(), c.rtnl_addr_put);
  const at = address[ADDRESS];
  c.rtnl_addr_set_ifindex(at, fields.ifindex);
  c.rtnl_addr_set_family(at, fields.family);
  const check = (op: string, code: number) => checkNl(op, code, `address on link ${fields.ifindex}`);
  using local = buildAddress(fields.family, fields.local, fields.prefixLength);
  check("rtnl_addr_set_local", c.rtnl_addr_set_local(at, local[ADDRESS]));
  if (fields.peer !== undefined) {
    using peer = buildAddress(fields.family, fields.peer, fields.prefixLength);
    check("rtnl_addr_set_peer", c.rtnl_addr_set_peer(at, peer[ADDRESS]));
  }
  if (fields.broadcast !== undefined) {
    using broadcast = buildAddress(fields.family, fields.broadcast);
    check("rtnl_addr_set_broadcast", c.rtnl_addr_set_broadcast(at, broadcast[ADDRESS]));
  }
  c.rtnl_addr_set_prefixlen(at, fields.prefixLength);
  c.rtnl_addr_set_scope(at, fields.scope);
  c.rtnl_addr_set_flags(at, fields.flags);
  if (fields.label !== undefined) check("rtnl_addr_set_label", c.rtnl_addr_set_label(at, cString(fields.label)));
  if (fields.lifetime !== undefined) {
    c.rtnl_addr_set_valid_lifetime(at, fields.lifetime.valid);
    c.rtnl_addr_set_preferred_lifetime(at, fields.lifetime.preferred);
  }
  return address;
}

export interface NeighborFields {
  readonly ifindex: number;
  readonly family: number;
  readonly destination: Uint8Array;
  /** Hardware address. */
  readonly address?: Uint8Array;
  readonly state: number;
  readonly flags: number;
}

/** RTM_NEWNEIGH with `flags`. */
export function neighborAddMessage(fields: NeighborFields, flags: number): NlMessage {
  using neighbor = neighborOf(fields);
  return adoptMessage("rtnl_neigh_build_add_request", `neighbour on link ${fields.ifindex}`, (result) =>
    c.rtnl_neigh_build_add_request(neighbor[ADDRESS], flags, result),
  );
}

/** RTM_DELNEIGH. */
export function neighborDeleteMessage(fields: NeighborFields): NlMessage {
  using neighbor = neighborOf(fields);
  return adoptMessage("rtnl_neigh_build_delete_request", `neighbour on link ${fields.ifindex}`, (result) =>
    c.rtnl_neigh_build_delete_request(neighbor[ADDRESS], 0, result),
  );
}

function neighborOf(fields: NeighborFields): Owned {
  const neighbor = new Owned("rtnl_neigh_alloc", c.rtnl_neigh_alloc(), c.rtnl_neigh_put);
  const at = neighbor[ADDRESS];
  c.rtnl_neigh_set_ifindex(at, fields.ifindex);
  c.rtnl_neigh_set_state(at, fields.state);
  c.rtnl_neigh_set_flags(at, fields.flags);
  const check = (op: string, code: number) => checkNl(op, code, `neighbour on link ${fields.ifindex}`);
  using destination = buildAddress(fields.family, fields.destination);
  check("rtnl_neigh_set_dst", c.rtnl_neigh_set_dst(at, destination[ADDRESS]));
  if (fields.address !== undefined) {
    using address = buildAddress(AF_LLC, fields.address);
    c.rtnl_neigh_set_lladdr(at, address[ADDRESS]);
  }
  return neighbor;
}
