/** DHCP's Ethernet frames, IPv4 and UDP within (RFC 791, RFC 768), for who has no address yet. Pure. */

import { BOOTPC_PORT, BOOTPS_PORT } from "../../ffi/dhcp-socket.ts";
import { checksum } from "../../ffi/ping.ts";
import { ProtocolError } from "../lib/errors.ts";
import { formatIp, parseIp } from "../netlink/ip.ts";
import { formatHardwareAddress, parseHardwareAddress } from "./message.ts";

export const BROADCAST_HARDWARE = "ff:ff:ff:ff:ff:ff";
export const BROADCAST_IP = "255.255.255.255";

export interface Frame {
  /** Hardware addresses. */
  readonly from: string;
  readonly to: string;
  /** IPv4 addresses. */
  readonly source: string;
  readonly destination: string;
  readonly payload: Uint8Array;
}

const ETHER_BYTES = 14;
const ETH_P_IP = 0x0800;
const IP_BYTES = 20;
const UDP_BYTES = 8;
const IPPROTO_UDP = 17;
const VERSION_4_WITHOUT_OPTIONS = 0x45;
const TTL = 64;
const DONT_FRAGMENT = 0x4000;

/** From the client's port to the server's. */
export function encodeFrame({ from, to, source, destination, payload }: Frame): Uint8Array {
  const bytes = new Uint8Array(ETHER_BYTES + IP_BYTES + UDP_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(parseHardwareAddress(to), 0);
  bytes.set(parseHardwareAddress(from), 6);
  view.setUint16(12, ETH_P_IP);
  const ip = ETHER_BYTES;
  const udp = ip + IP_BYTES;
  const udpLength = UDP_BYTES + payload.length;
  view.setUint8(ip, VERSION_4_WITHOUT_OPTIONS);
  view.setUint16(ip + 2, IP_BYTES + udpLength);
  view.setUint16(ip + 6, DONT_FRAGMENT);
  view.setUint8(ip + 8, TTL);
  view.setUint8(ip + 9, IPPROTO_UDP);
  bytes.set(parseIp("ipv4", source), ip + 12);
  bytes.set(parseIp("ipv4", destination), ip + 16);
  view.setUint16(ip + 10, checksum(bytes.subarray(ip, udp)));
  view.setUint16(udp, BOOTPC_PORT);
  view.setUint16(udp + 2, BOOTPS_PORT);
  view.setUint16(udp + 4, udpLength);
  bytes.set(payload, udp + UDP_BYTES);
  view.setUint16(udp + 6, udpChecksum(bytes.subarray(ip + 12, udp), bytes.subarray(udp)));
  return bytes;
}

/**
 * What a packet socket heard. UDP's checksum is not looked at: a server on this machine leaves it to a card that the
 * frame never meets. Throws ProtocolError for what is no whole UDP packet over IPv4.
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < ETHER_BYTES + IP_BYTES + UDP_BYTES || view.getUint16(12) !== ETH_P_IP)
    throw new ProtocolError(`a frame of ${bytes.length} bytes holds no UDP packet over IPv4`);
  const ip = ETHER_BYTES;
  const version = view.getUint8(ip) >> 4;
  const headerBytes = (view.getUint8(ip) & 0x0f) * 4;
  const end = ip + view.getUint16(ip + 2);
  const udp = ip + headerBytes;
  if (version !== 4 || headerBytes < IP_BYTES || view.getUint8(ip + 9) !== IPPROTO_UDP)
    throw new ProtocolError("a frame holds no UDP packet over IPv4");
  if (end > bytes.length || udp + UDP_BYTES > end)
    throw new ProtocolError(`an IPv4 packet says that it ends at byte ${end} of a frame of ${bytes.length}`);
  const udpEnd = udp + view.getUint16(udp + 4);
  if (udpEnd > end || udpEnd < udp + UDP_BYTES) throw new ProtocolError("a UDP packet is longer than its IPv4 packet");
  return {
    to: formatHardwareAddress(bytes.subarray(0, 6)),
    from: formatHardwareAddress(bytes.subarray(6, 12)),
    source: formatIp(bytes.subarray(ip + 12, ip + 16)),
    destination: formatIp(bytes.subarray(ip + 16, ip + 20)),
    payload: bytes.slice(udp + UDP_BYTES, udpEnd),
  };
}

/** Over the pseudo header: addresses, protocol, length. Zero means none, so that zero is sent as its other form. */
function udpChecksum(addresses: Uint8Array, packet: Uint8Array): number {
  const padded = new Uint8Array(addresses.length + 4 + packet.length + (packet.length % 2));
  padded.set(addresses);
  const view = new DataView(padded.buffer);
  view.setUint16(addresses.length, IPPROTO_UDP);
  view.setUint16(addresses.length + 2, packet.length);
  padded.set(packet, addresses.length + 4);
  return checksum(padded) || 0xffff;
}
