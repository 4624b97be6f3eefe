/** `netferry devices`: the inventory as text. Pure. */

import { stringify } from "yaml";
import type { AttributeValue, Device } from "../inventory/device.ts";
import type { LeftOut } from "../inventory/left-out.ts";
import { formatTable } from "./table.ts";

type Column = readonly [title: string, value: (attribute: (id: string) => string, device: Device) => string];

const TABLE: readonly Column[] = [
  ["NAME", (_attribute, device) => device.name],
  ["IFNAME", (attribute) => attribute("ifName")],
  ["TYPE", (attribute) => attribute("type")],
  ["STATE", (attribute) => attribute("state")],
  ["MTU", (attribute) => attribute("mtu")],
  ["PCI", (attribute) => attribute("pciAddress")],
  ["NUMA", (attribute) => attribute("numaNode")],
  ["RDMA", (attribute) => attribute("rdmaDevice") || yesNo(attribute("rdma"))],
  ["ADDRESSES", (attribute) => [attribute("ipv4"), attribute("ipv6")].filter((list) => list !== "").join(",")],
];

const WIDE: readonly Column[] = [
  ...TABLE,
  ["MAC", (attribute) => attribute("mac")],
  ["ENCAP", (attribute) => attribute("encapsulation")],
  ["VFS", (attribute) => attribute("sriovVfs")],
  ["VF", (attribute) => yesNo(attribute("isSriovVf"))],
  ["VIRTUAL", (attribute) => yesNo(attribute("virtual"))],
  ["PCIEROOT", (attribute) => attribute("resource.kubernetes.io/pcieRoot")],
  ["VENDOR", (attribute) => attribute("pciVendor")],
  ["DEVICE", (attribute) => attribute("pciDevice")],
  ["ALIAS", (attribute) => attribute("alias")],
];

/** What is published: name and attributes. */
export function formatDevices(devices: readonly Device[], format: "json" | "yaml"): string {
  return format === "json" ? `${JSON.stringify(devices.map(published), null, 2)}\n` : stringify(devices.map(published));
}

/** For people. `domain` is the one of the driver's attributes, `dra.net`. */
export function formatTables(devices: readonly Device[], format: "table" | "wide", domain: string): string {
  return formatColumns(format === "wide" ? WIDE : TABLE, devices, domain);
}

/** One row for each reason; nothing where nothing is left out. */
export function formatLeftOut(absent: readonly LeftOut[]): string {
  if (absent.length === 0) return "";
  const rows = [...Map.groupBy(absent, ({ why }) => why)].map(([why, some]) => [
    why,
    some.map(({ name }) => name).join(" "),
  ]);
  return `\n${formatTable([["NOT OFFERED, SINCE IT", "NAMES"], ...rows])}`;
}

function published({ name, attributes }: Device): Pick<Device, "name" | "attributes"> {
  return { name, attributes };
}

function formatColumns(columns: readonly Column[], devices: readonly Device[], domain: string): string {
  const rows = devices.map((device) => {
    const attribute = (id: string) => plain(device.attributes[id.includes("/") ? id : `${domain}/${id}`]);
    return columns.map(([, value]) => value(attribute, device));
  });
  return formatTable([columns.map(([title]) => title), ...rows]);
}

function plain(value: AttributeValue | undefined): string {
  return value === undefined ? "" : String(Object.values(value)[0]);
}

function yesNo(flag: string): string {
  return flag === "true" ? "yes" : flag === "false" ? "no" : "";
}
