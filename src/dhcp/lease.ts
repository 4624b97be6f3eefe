/** What a server grants, read from its DHCPACK. Pure. */

import { ProtocolError } from "../lib/errors.ts";
import { formatIp, networkOf, parseIp } from "../netlink/ip.ts";
import type { DhcpMessage } from "./message.ts";

/** Options of RFC 2132, and 121 of RFC 3442. */
export const OPTION = {
  subnetMask: 1,
  router: 3,
  interfaceMtu: 26,
  broadcastAddress: 28,
  requestedAddress: 50,
  leaseSeconds: 51,
  messageType: 53,
  serverIdentifier: 54,
  parameterList: 55,
  message: 56,
  renewalSeconds: 58,
  rebindingSeconds: 59,
  classlessRoutes: 121,
} as const;

export interface LeaseRoute {
  /** CIDR; `0.0.0.0/0` for the default route. */
  readonly destination: string;
  /** Absent: the destination is on the link itself. */
  readonly gateway?: string;
}

export interface DhcpLease {
  readonly address: string;
  readonly prefixLength: number;
  readonly broadcast?: string;
  /** Address of the server (option 54). */
  readonly server: string;
  /** Who sent the server's frames: itself or a relay. The way back to it. */
  readonly serverHardwareAddress: string;
  /** Of the client, which the server knows the lease by. */
  readonly hardwareAddress: string;
  /** When it was asked for: from then on its time runs. */
  readonly takenAtMs: number;
  /** The same by the time since boot, which no clock that is set changes; absent when it was another boot's. */
  readonly takenUpMs?: number;
  /** Absent for ever. */
  readonly seconds?: number;
  /** T1: from then on the server is asked to extend it. */
  readonly renewAfterSeconds?: number;
  /** T2: from then on any server is asked. */
  readonly rebindAfterSeconds?: number;
  readonly routes: readonly LeaseRoute[];
  readonly mtu?: number;
}

const FOREVER = 0xffff_ffff;
/** Below it IPv6 would be off; a server that says less has made a mistake, or none that helps. */
const MIN_MTU = 1280;

/** When the server was asked. */
export interface AskedAt {
  readonly takenAtMs: number;
  readonly takenUpMs: number;
}

export interface Grant extends AskedAt {
  readonly message: DhcpMessage;
  readonly serverHardwareAddress: string;
}

/** Throws ProtocolError when something is missing without which the address cannot be used. */
export function leaseOf({ message, serverHardwareAddress, takenAtMs, takenUpMs }: Grant): DhcpLease {
  const { options, yiaddr, hardwareAddress } = message;
  if (!isUsable(yiaddr)) throw new ProtocolError(`the server gives the address ${yiaddr}, which no link can have`);
  const server = addressIn(options, OPTION.serverIdentifier);
  if (server === undefined) throw new ProtocolError("the server does not say who it is (option 54)");
  const seconds = numberIn(options, OPTION.leaseSeconds, 4);
  if (seconds === undefined || seconds === 0)
    throw new ProtocolError("the server does not say for how long (option 51)");
  const mtu = numberIn(options, OPTION.interfaceMtu, 2);
  const broadcast = addressIn(options, OPTION.broadcastAddress);
  return {
    address: yiaddr,
    prefixLength: prefixLengthIn(options),
    ...(broadcast === undefined ? {} : { broadcast }),
    server,
    serverHardwareAddress,
    hardwareAddress,
    takenAtMs,
    takenUpMs,
    ...timesOf(options, seconds),
    routes: routesIn(options),
    ...(mtu === undefined || mtu < MIN_MTU ? {} : { mtu }),
  };
}

function timesOf(
  options: DhcpMessage["options"],
  seconds: number,
): Pick<DhcpLease, "seconds" | "renewAfterSeconds" | "rebindAfterSeconds"> {
  if (seconds === FOREVER) return {};
  const rebind = numberIn(options, OPTION.rebindingSeconds, 4);
  const rebindAfterSeconds = rebind !== undefined && rebind < seconds && rebind > 0 ? rebind : seconds * 0.875;
  const renew = numberIn(options, OPTION.renewalSeconds, 4);
  const renewAfterSeconds =
    renew !== undefined && renew < rebindAfterSeconds && renew > 0 ? renew : Math.min(seconds, rebindAfterSeconds) / 2;
  return { seconds, renewAfterSeconds, rebindAfterSeconds };
}

/** Who gives classless routes means them instead of the router (RFC 3442). */
function routesIn(options: DhcpMessage["options"]): readonly LeaseRoute[] {
  const classless = options.get(OPTION.classlessRoutes);
  if (classless !== undefined) return decodeClasslessRoutes(classless);
  const routers = options.get(OPTION.router);
  if (routers === undefined || routers.length < 4) return [];
  const gateway = formatIp(routers.subarray(0, 4));
  return isUsable(gateway) ? [{ destination: "0.0.0.0/0", gateway }] : [];
}

/** RFC 3442: prefix length, as many octets of the destination as it covers, four octets of the router, again and again. */
export function decodeClasslessRoutes(bytes: Uint8Array): readonly LeaseRoute[] {
  const routes: LeaseRoute[] = [];
  for (let at = 0; at < bytes.length; ) {
    const prefixLength = bytes[at] ?? 0;
    const significant = Math.ceil(prefixLength / 8);
    const end = at + 1 + significant + 4;
    if (prefixLength > 32) throw new ProtocolError(`option 121 has a route with the prefix length ${prefixLength}`);
    if (end > bytes.length) throw new ProtocolError("option 121 ends in the middle of a route");
    const network = new Uint8Array(4);
    network.set(bytes.subarray(at + 1, at + 1 + significant));
    const gateway = formatIp(bytes.subarray(end - 4, end));
    const destination = networkOf("ipv4", formatIp(network), prefixLength);
    routes.push(gateway === "0.0.0.0" ? { destination } : { destination, gateway });
    at = end;
  }
  return routes;
}

/** Without a mask only the address itself is known to be ours. */
function prefixLengthIn(options: DhcpMessage["options"]): number {
  const mask = numberIn(options, OPTION.subnetMask, 4);
  if (mask === undefined) return 32;
  const prefixLength = Math.clz32(~mask);
  if (mask !== (prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0) || prefixLength === 0)
    throw new ProtocolError(`the server gives the subnet mask 0x${mask.toString(16)}, which is none`);
  return prefixLength;
}

export function addressIn(options: DhcpMessage["options"], code: number): string | undefined {
  const bytes = options.get(code);
  return bytes?.length === 4 ? formatIp(bytes) : undefined;
}

export function numberIn(options: DhcpMessage["options"], code: number, length: 1 | 2 | 4): number | undefined {
  const bytes = options.get(code);
  if (bytes?.length !== length) return undefined;
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

/** Of one host: not zero, loopback, multicast or beyond. */
function isUsable(address: string): boolean {
  const [first = 0] = parseIp("ipv4", address);
  return first !== 0 && first !== 127 && first < 224;
}
