/** From facts to devices: pure, the same facts give the same bytes. */

import { formatCpuList } from "../lib/cpu-list.ts";
import type { Link } from "../netlink/link.ts";
import type { LinkLocation } from "../sysfs/net.ts";
import type { PciDevice } from "../sysfs/pci.ts";
import { type Attributes, AttributeWriter, type StandardAttributes } from "./attributes.ts";
import type { Device, DeviceIdentity } from "./device.ts";
import type { InventoryFacts, ProgramNames } from "./facts.ts";
import { linkAttributes, type SriovRole } from "./link-attributes.ts";
import { locationsByIndex, mainLinks } from "./main-link.ts";
import { linkDeviceName, pciDeviceName, uniqueName } from "./names.ts";
import { functionProblem, isIpoib, linkProblem, VFIO_PCI } from "./offered.ts";
import { bottomLink } from "./parent-link.ts";
import { functionAttributes, placeAttributes } from "./pci-attributes.ts";
import type { PciNames } from "./pci-ids.ts";
import { rdmaAttributes } from "./rdma-attributes.ts";
import { rdmaOfFunction, rdmaOfLink, standsAlone } from "./rdma-of.ts";
import { uplinkIfindexes } from "./uplink.ts";
import { switchAttribute, type VfView, vfAttributes } from "./vf-attributes.ts";

export interface InventoryOptions {
  /** The domain of the attributes, which is the driver's name: `dra.net`. */
  readonly domain: string;
  /** False: IPoIB links stay on the host, their functions are offered as RDMA devices. */
  readonly moveIbInterfaces: boolean;
  /** The standard NUMA attribute is a list, which needs the API server's gate DRAListTypeAttributes. */
  readonly listAttributes?: boolean;
  /** Functions that are bound to vfio-pci are offered too. */
  readonly offerVfio?: boolean;
  readonly pciNames: PciNames;
}

const NO_PROGRAMS: ProgramNames = { tcFilterNames: [], tcxProgramNames: [] };
const NO_SRIOV: SriovRole = { totalVfs: 0, numVfs: 0, isVf: false };

/**
 * The devices that a host has to offer, sorted by name: each network function that is bound to a kernel driver,
 * together with its link and RDMA device where these are to be seen, and each other link that can be moved. Not the
 * uplink and what it stands on.
 */
export function devicesOf(facts: InventoryFacts, options: InventoryOptions): Device[] {
  const scan = new Scan(facts, options);
  const devices: Device[] = [];
  const names = new Set<string>();
  for (const device of [...scan.functions(), ...scan.otherLinks()]) {
    const name = uniqueName(device.name, names);
    names.add(name);
    devices.push({ ...device, name });
  }
  return devices.sort(byName);
}

/** Order of code units; names are ASCII. */
export function byName(a: Device, b: Device): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** The facts, indexed once. */
class Scan {
  readonly #facts: InventoryFacts;
  readonly #options: InventoryOptions;
  readonly #writer: AttributeWriter;
  readonly #pci: ReadonlyMap<string, PciDevice>;
  readonly #links: ReadonlyMap<number, Link>;
  readonly #locations: ReadonlyMap<number, LinkLocation>;
  readonly #main: ReadonlyMap<string, number>;
  readonly #uplinks: ReadonlySet<number>;
  readonly #addresses: ReadonlyMap<number, InventoryFacts["addresses"]>;

  constructor(facts: InventoryFacts, options: InventoryOptions) {
    this.#facts = facts;
    this.#options = options;
    this.#writer = new AttributeWriter(options.domain);
    this.#pci = new Map(facts.pci.map((device) => [device.address, device]));
    this.#links = new Map(facts.links.map((link) => [link.ifindex, link]));
    this.#locations = locationsByIndex(facts.links, facts.locations);
    this.#main = mainLinks(facts.links, this.#locations);
    this.#uplinks = uplinkIfindexes(facts);
    this.#addresses = Map.groupBy(facts.addresses, (address) => address.ifindex);
  }

  /** Functions of the PCI bus, each with its main link. */
  functions(): Device[] {
    const offered = this.#facts.pci.filter((device) => functionProblem(device, this.#options) === undefined);
    return offered.flatMap((device) => {
      const main = this.#links.get(this.#main.get(device.address) ?? -1);
      if (main === undefined) return this.#isElsewhere(device) ? [] : this.#bareFunction(device);
      if (this.#uplinks.has(main.ifindex)) return [];
      if (this.#isOffered(main)) return this.#linkDevice(pciDeviceName(device.address), main, device);
      // The IPoIB link stays, and the RDMA device is offered alone; any other link that stays keeps its function.
      return isIpoib(main) && !this.#options.moveIbInterfaces ? this.#bareFunction(device) : [];
    });
  }

  /** Links without a function, and links beside the main one of their function. By name, so that a clash of names is settled alike. */
  otherLinks(): Device[] {
    return this.#facts.links
      .filter((link) => !this.#isMainOfFunction(link) && !this.#uplinks.has(link.ifindex))
      .filter((link) => this.#isOffered(link))
      .sort((a, b) => (a.ifname < b.ifname ? -1 : 1))
      .map((link) => this.#linkDevice(linkDeviceName(link.ifname), link, undefined));
  }

  /** Sysfs shows links of the function and netlink none: it is another namespace's sysfs, where we cannot move them. */
  #isElsewhere(device: PciDevice): boolean {
    const isHere = (ifname: string) =>
      this.#facts.links.some(
        (link) => link.ifname === ifname && this.#locations.get(link.ifindex)?.pciAddress === device.address,
      );
    return device.ifnames.length > 0 && !device.ifnames.some(isHere);
  }

  #isOffered(link: Link): boolean {
    return linkProblem(link, this.#locations.get(link.ifindex), this.#options) === undefined;
  }

  #isMainOfFunction(link: Link): boolean {
    const address = this.#locations.get(link.ifindex)?.pciAddress;
    return address !== undefined && this.#pci.has(address) && this.#main.get(address) === link.ifindex;
  }

  #bareFunction(device: PciDevice): Device {
    const rdma = rdmaOfFunction(this.#facts.rdma.devices, device.address);
    const alone = rdma !== undefined && standsAlone(rdma, device) ? rdma : undefined;
    return {
      name: pciDeviceName(device.address),
      identity: {
        pciAddress: device.address,
        ...(alone === undefined ? {} : { rdmaName: alone.name }),
        ...pfOf(device),
        ...(device.driver === VFIO_PCI ? { vfio: true } : {}),
      },
      ...this.#placeOf(device),
      attributes: this.#writer.write({
        ...this.#functionAttributes(device),
        ...vfAttributes(this.#vfView(device)),
        ...switchAttribute(this.#pfSwitchId(device)),
        ...(device.driver === VFIO_PCI ? { vfio: { bool: true } } : {}),
        ...rdmaAttributes(alone),
        rdma: { bool: rdma !== undefined },
      }),
    };
  }

  /** `own` is the function whose main link this is. */
  #linkDevice(name: string, link: Link, own: PciDevice | undefined): Device {
    const location = this.#locations.get(link.ifindex);
    const carrier = own ?? this.#carrierOf(link);
    const rdma = rdmaOfLink(this.#facts.rdma.devices, link.ifname, location, own !== undefined);
    const pf = this.#links.get(this.#main.get(own?.physfn ?? "") ?? -1)?.ifname;
    return {
      name,
      ...(pf === undefined ? {} : { pf }),
      identity: linkIdentity(link, own, rdma?.name),
      ...this.#placeOf(carrier),
      attributes: this.#writer.write({
        ...(own === undefined ? this.#carriedAttributes(carrier) : this.#functionAttributes(own)),
        ...linkAttributes({
          link,
          addresses: this.#addresses.get(link.ifindex) ?? [],
          isVirtual: location?.isVirtual ?? true,
          programs: this.#programsAt(link.ifname),
          sriov: own === undefined ? NO_SRIOV : sriovRole(own),
        }),
        ...(own === undefined ? {} : vfAttributes(this.#vfView(own))),
        ...switchAttribute(location?.physSwitchId ?? (own === undefined ? undefined : this.#pfSwitchId(own))),
        ...rdmaAttributes(rdma, link.ifname),
      }),
    };
  }

  /** Its PF's link is told where that is on the host: it may be in a pod. */
  #vfView({ address, physfn }: PciDevice): VfView | undefined {
    const pf = this.#pci.get(physfn ?? "");
    return pf === undefined ? undefined : { address, pf, pfLink: this.#links.get(this.#main.get(pf.address) ?? -1) };
  }

  #pfSwitchId({ physfn }: PciDevice): string | undefined {
    return this.#locations.get(this.#main.get(physfn ?? "") ?? -1)?.physSwitchId;
  }

  #programsAt(ifname: string): ProgramNames | undefined {
    const { programs } = this.#facts;
    if (programs === undefined) return undefined;
    return Object.hasOwn(programs, ifname) ? programs[ifname] : NO_PROGRAMS;
  }

  #functionAttributes(device: PciDevice): Attributes & StandardAttributes {
    const { address } = device;
    return {
      ...functionAttributes(device, this.#options.pciNames),
      "resource.kubernetes.io/pciBusID": { string: address },
      ...this.#placeAttributes(device),
    };
  }

  /**
   * A link that stands on a function without being its main one, as that of a subfunction or a macvlan, has the
   * function's place but not its identity: a selector by PCI address means one device.
   */
  #carriedAttributes(carrier: PciDevice | undefined): Attributes & StandardAttributes {
    return carrier === undefined ? {} : this.#placeAttributes(carrier);
  }

  #carrierOf(link: Link): PciDevice | undefined {
    const location = this.#locations.get(bottomLink(link, this.#links).ifindex);
    return this.#pci.get(location?.pciAddress ?? "");
  }

  #numaNodeOf(device: PciDevice): number | undefined {
    return device.numaNode ?? this.#pci.get(device.physfn ?? "")?.numaNode;
  }

  #placeOf(device: PciDevice | undefined): Pick<Device, "place"> {
    const id = device === undefined ? undefined : this.#numaNodeOf(device);
    const node = this.#facts.numaNodes?.find((one) => one.id === id);
    if (node === undefined) return {};
    return { place: { node: node.id, cpus: formatCpuList(node.cpus), hasMemory: node.hasMemory } };
  }

  /** A VF is where its PF is, also where the firmware tells it of the PF alone. */
  #placeAttributes(device: PciDevice): Attributes & StandardAttributes {
    const numaNode = this.#numaNodeOf(device);
    const pcieRoot = device.pcieRoot ?? this.#pci.get(device.physfn ?? "")?.pcieRoot;
    const place = {
      ...(numaNode === undefined ? {} : { numaNode }),
      ...(pcieRoot === undefined ? {} : { pcieRoot }),
    };
    return placeAttributes(place, this.#options.listAttributes === true ? (this.#facts.numaNodes ?? []) : undefined);
  }
}

function pfOf({ physfn }: PciDevice): Pick<DeviceIdentity, "pfAddress"> {
  return physfn === undefined ? {} : { pfAddress: physfn };
}

function sriovRole(device: PciDevice): SriovRole {
  return {
    totalVfs: device.sriovTotalVfs ?? 0,
    numVfs: device.sriovNumVfs ?? 0,
    isVf: device.physfn !== undefined,
  };
}

function linkIdentity(link: Link, own: PciDevice | undefined, rdmaName: string | undefined): DeviceIdentity {
  const { ifname, ifindex, kind, permanentAddress, address } = link;
  return {
    ifname,
    ifindex,
    ...(kind === undefined ? {} : { kind }),
    ...(own === undefined ? {} : { pciAddress: own.address, ...pfOf(own) }),
    ...(permanentAddress === undefined ? {} : { permanentAddress }),
    ...(address === undefined ? {} : { address }),
    ...(rdmaName === undefined ? {} : { rdmaName }),
  };
}
