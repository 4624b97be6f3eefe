/** Answers of NETLINK_RDMA's client NLDEV: attributes from the first byte on, without a header of their own. */

import { AttributeReader } from "../netlink/attributes.ts";
import * as k from "./constants.ts";

export interface NldevDevice {
  readonly index: number;
  readonly name: string;
  /** `0c42:a103:0065:1a2e` */
  readonly nodeGuid?: string;
  /** Absent for a device without firmware (rxe, siw). */
  readonly firmware?: string;
  /** `roce`, `ib`, `iw`, `opa`, `usnic` */
  readonly protocol?: string;
}

export interface NldevPort {
  readonly number: number;
  /** `ACTIVE` */
  readonly state?: string;
  /** Its netdev, where that is in the namespace of the socket. */
  readonly ifname?: string;
}

/** In exclusive mode an RDMA device belongs to one namespace; in shared mode all namespaces see all of them. */
export type NetnsMode = "exclusive" | "shared";

export interface CharDevice {
  /** `uverbs0` */
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  /** enum rdma_driver_id; with `uverbs` only. */
  readonly driverId?: number;
}

type Partly<T> = { -readonly [K in keyof T]?: T[K] };

/** `undefined` when the answer does not name a device. Throws ProtocolError. */
export function decodeDevice(payload: Uint8Array): NldevDevice | undefined {
  const device: Partly<NldevDevice> = {};
  for (const at = new AttributeReader(payload); at.next(); )
    switch (at.type) {
      case k.RDMA_NLDEV_ATTR_DEV_INDEX:
        device.index = at.u32();
        break;
      case k.RDMA_NLDEV_ATTR_DEV_NAME:
        device.name = at.text();
        break;
      case k.RDMA_NLDEV_ATTR_NODE_GUID:
        device.nodeGuid = formatGuid(at.u64());
        break;
      case k.RDMA_NLDEV_ATTR_FW_VERSION:
        device.firmware = at.text();
        break;
      case k.RDMA_NLDEV_ATTR_DEV_PROTOCOL:
        device.protocol = at.text();
        break;
    }
  const { index, name } = device;
  return index === undefined || name === undefined ? undefined : { ...device, index, name };
}

/** `undefined` when the answer does not name a port. Throws ProtocolError. */
export function decodePort(payload: Uint8Array): NldevPort | undefined {
  const port: Partly<NldevPort> = {};
  for (const at = new AttributeReader(payload); at.next(); )
    switch (at.type) {
      case k.RDMA_NLDEV_ATTR_PORT_INDEX:
        port.number = at.u32();
        break;
      case k.RDMA_NLDEV_ATTR_PORT_STATE: {
        const state = k.IB_PORT_STATES[at.u8()];
        if (state !== undefined) port.state = state;
        break;
      }
      case k.RDMA_NLDEV_ATTR_NDEV_NAME:
        port.ifname = at.text();
        break;
    }
  const { number } = port;
  return number === undefined ? undefined : { ...port, number };
}

/** Absent before Linux 5.2. Throws ProtocolError. */
export function decodeNetnsMode(payload: Uint8Array): NetnsMode | undefined {
  for (const at = new AttributeReader(payload); at.next(); )
    if (at.type === k.RDMA_NLDEV_SYS_ATTR_NETNS_MODE) return at.u8() === 0 ? "exclusive" : "shared";
  return undefined;
}

/** Throws ProtocolError. */
export function decodeCharDevice(payload: Uint8Array): CharDevice | undefined {
  let name: string | undefined;
  let device: bigint | undefined;
  let driverId: number | undefined;
  for (const at = new AttributeReader(payload); at.next(); ) {
    if (at.type === k.RDMA_NLDEV_ATTR_CHARDEV_NAME) name = at.text();
    else if (at.type === k.RDMA_NLDEV_ATTR_CHARDEV) device = at.u64();
    else if (at.type === k.RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID) driverId = at.u32();
  }
  if (name === undefined || device === undefined) return undefined;
  return { name, ...splitDevice(Number(device)), ...(driverId === undefined ? {} : { driverId }) };
}

/** huge_encode_dev() of linux/kdev_t.h, which is new_encode_dev(): eight bits of minor, twelve of major, the rest of minor. */
function splitDevice(device: number): { readonly major: number; readonly minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}

/** As `rdma` and `ibv_devinfo` print it. */
function formatGuid(guid: bigint): string {
  return guid
    .toString(16)
    .padStart(16, "0")
    .replace(/(.{4})(?=.)/g, "$1:");
}
