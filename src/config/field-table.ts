/**
 * Every field of the configuration: what it does, whether this version does it, and who may set it. The schema says what
 * a value may be; this table says what becomes of it. A field that has no line is unknown.
 */

export interface Field {
  /** What it does, for the reference page and the JSON Schema. */
  readonly text: string;
  /** Conditions that the type alone does not tell, those with other fields among them. */
  readonly rule?: string;
  /** Absent: as the field that it is a part of. */
  readonly served?: boolean;
  /** Values of a field that is not served which ask for nothing, so that manifests may hold them. */
  readonly harmless?: readonly unknown[];
  /** It has an effect beyond the pod, so that a claim may set it only where `--claim-may-set` lists it. */
  readonly classOnly?: boolean;
  /** Values of such a field that claims may set all the same, since they ask for what is so anyway. */
  readonly free?: readonly unknown[];
}

const served = (text: string, rule?: string): Field => ({
  text,
  served: true,
  ...(rule === undefined ? {} : { rule }),
});
const classOnly = (field: Field, ...free: readonly unknown[]): Field => ({ ...field, classOnly: true, free });
/** One value of a field, which is served or not as a whole. */
const part = (text: string, rule?: string): Field => ({ text, ...(rule === undefined ? {} : { rule }) });

const NEEDS_IPV6 = "needs an MTU of at least 1280";

const TABLE = {
  profile: served(
    "Name of a profile whose configuration lies under this one: the webhook's, as --profile-provider says",
  ),

  "interface.name": served("The link's name in the pod; absent: the name that it has on the host"),
  "interface.addresses": served(
    "Addresses of the link; absent: its own permanent global ones, with their routes, rules and neighbours",
    "not with DHCP; no IPv6 address with SLAAC or disableIPv6",
  ),
  "interface.dhcp": served(
    "An IPv4 address with its routes by DHCP, as `addressing: DHCP`",
    "not with addresses, not with type IPVLAN or VLAN",
  ),
  "interface.mtu": served("MTU", "at least 1280 with an IPv6 setting"),
  "interface.hardwareAddr": served("MAC address", "no multicast address, not zero; not with type IPVLAN"),
  "interface.gsoMaxSize": served("Largest packet for segmentation offload, IPv6, in bytes: Big TCP above 65536"),
  "interface.groMaxSize": served("Largest packet that receive offload puts together, IPv6, in bytes"),
  "interface.gsoIPv4MaxSize": served("The same as gsoMaxSize for IPv4", "Linux 6.3 or later"),
  "interface.groIPv4MaxSize": served("The same as groMaxSize for IPv4", "Linux 6.3 or later"),
  "interface.disableEbpfPrograms": served(
    "Detach tc, TCX and XDP programs from the link, which then returns without them",
  ),
  "interface.forwarding": served("Forward packets that come in by the link; IPv6 alone by this on Linux 6.17 or later"),
  "interface.arpIgnore": served("Which ARP requests are answered: sysctl arp_ignore"),
  "interface.arpAnnounce": served("Which source address ARP requests carry: sysctl arp_announce"),
  "interface.vrf": served(
    "Put the link, with all its routes, into a VRF of the pod, which is made when it is missing",
    "not with rules",
  ),
  "interface.vrf.name": part("Name of the VRF device"),
  "interface.vrf.table": part(
    "Its routing table; absent: 1000 + (FNV-1a of the name modulo 1000)",
    "not 253, 254 or 255",
  ),
  "interface.type": served(
    "Passthrough: the link itself. Else a child of it is made in the pod, while the link stays on the host",
    "Passthrough if absent; VLAN needs vlan.id; a child's MTU is its parent's at most; no ethtool with a child",
  ),
  "interface.macvlan": classOnly(
    served("How a MACVLAN child is made", "with type MACVLAN only"),
    {},
    { mode: "bridge" },
  ),
  "interface.macvlan.mode": part("Whether children of one link reach each other: bridge, if absent; private; vepa"),
  "interface.ipvlan": classOnly(served("How an IPVLAN child is made", "with type IPVLAN only"), {}, { mode: "l2" }),
  "interface.ipvlan.mode": part(
    "Where children of one link are told apart: l2, if absent; l3; l3s",
    "the same for all children of a link",
  ),
  "interface.vlan": classOnly(served("How a VLAN child is made", "with type VLAN only")),
  "interface.vlan.id": part("VLAN id of its frames"),
  "interface.vlan.protocol": part("802.1Q, if absent, or 802.1ad"),
  "interface.addressing": served(
    "Where addresses come from. Static: from this configuration or the host. DHCP: IPv4 by DHCP. SLAAC: IPv6 by router advertisement, IPv4 as Static",
    "SLAAC not with IPv6 addresses, acceptRA 0, disableIPv6, addrGenMode 1 or 2; Unnumbered with sub-interfaces only; DHCP not with type IPVLAN or VLAN",
  ),
  "interface.acceptRA": served("Accept router advertisements: sysctl accept_ra", NEEDS_IPV6),
  "interface.dadTransmits": served("Probes of duplicate address detection: sysctl dad_transmits", NEEDS_IPV6),
  "interface.routerSolicitationDelay": served(
    "Seconds before the first router solicitation: sysctl router_solicitation_delay",
    NEEDS_IPV6,
  ),
  "interface.routerSolicitationInterval": served(
    "Seconds between router solicitations: sysctl router_solicitation_interval",
    NEEDS_IPV6,
  ),
  "interface.disableIPv6": served("No IPv6 on the link: sysctl disable_ipv6", NEEDS_IPV6),
  "interface.addrGenMode": served(
    "How the link-local address is made: 0 EUI-64, 1 none, 2 stable secret, 3 random; sysctl addr_gen_mode",
    `${NEEDS_IPV6}; 2 needs net.ipv6.conf.default.stable_secret among the pod's sysctls; not 0 with SLAAC on IPVLAN`,
  ),

  routes: served("Routes over the link"),
  "routes[].destination": part("Network that the route leads to"),
  "routes[].gateway": part("Next hop", "required, unless scope is 253; of the destination's family"),
  "routes[].source": part("Preferred source address", "of the destination's family"),
  "routes[].scope": part("0 universe, 253 link"),
  "routes[].table": part("Routing table; 0 or absent: main"),

  rules: served("Policy routing rules", "not with vrf"),
  "rules[].priority": part("Rules are tried from the lowest to the highest"),
  "rules[].table": part("Routing table to look in; 0 or absent: main"),
  "rules[].source": part("Network that packets come from"),
  "rules[].destination": part("Network that packets go to", "of the source's family"),

  neighbors: served("Permanent neighbour entries of the link"),
  "neighbors[].destination": part("Address of the neighbour"),
  "neighbors[].hardwareAddr": part("Its MAC address"),

  "ethtool.features": served("Offloads to turn on or off, by the names of `ethtool -k` and `ethtool -K`"),
  "ethtool.privateFlags": classOnly(
    served("The driver's own flags to turn on or off, by the names of `ethtool --show-priv-flags`"),
  ),
  "ethtool.rings": classOnly(served("Sizes of the rings, as `ethtool -G`")),
  "ethtool.rings.rx": part("Receive ring"),
  "ethtool.rings.rxMini": part("Receive ring for small frames"),
  "ethtool.rings.rxJumbo": part("Receive ring for jumbo frames"),
  "ethtool.rings.tx": part("Transmit ring"),
  "ethtool.channels": classOnly(served("Numbers of queues, as `ethtool -L`")),
  "ethtool.channels.rx": part("Queues that only receive"),
  "ethtool.channels.tx": part("Queues that only send"),
  "ethtool.channels.other": part("Queues for link interrupts and the like"),
  "ethtool.channels.combined": part("Queues that send and receive"),
  "ethtool.coalesce": classOnly(served("Interrupt coalescing, as `ethtool -C`")),
  "ethtool.coalesce.adaptiveRx": part("The driver adapts receive coalescing to the load"),
  "ethtool.coalesce.adaptiveTx": part("The driver adapts transmit coalescing to the load"),
  "ethtool.coalesce.rxUsecs": part("Microseconds from a received packet to its interrupt"),
  "ethtool.coalesce.rxFrames": part("Packets received before an interrupt"),
  "ethtool.coalesce.txUsecs": part("Microseconds from a sent packet to its interrupt"),
  "ethtool.coalesce.txFrames": part("Packets sent before an interrupt"),

  "cpu.align": classOnly(
    served("`numa`: containers that use the device run on CPUs and memory of its NUMA node, as far as they may"),
  ),
  rdmaExclusive: served(
    "Refuse the device where RDMA devices are shared between network namespaces, instead of giving its character devices alone",
    "needs a device with RDMA",
  ),
  umad: classOnly(served("Give containers the RDMA device's umad character devices too", "needs a device with RDMA")),
  issm: classOnly(served("Give containers the RDMA device's issm character devices too", "needs a device with RDMA")),
  "vf.vlan": classOnly(served("VLAN that the PF puts the VF's traffic into, unseen by the pod", "for a VF only")),
  "vf.vlan.id": part("VLAN id; 0: none"),
  "vf.vlan.qos": part("Priority (PCP) of the frames; absent: 0"),
  "vf.vlan.protocol": part("802.1Q, or 802.1ad where the driver has it; absent: 802.1Q"),
  "vf.mac": classOnly(
    served(
      "MAC address that the PF gives the VF, which then cannot choose another",
      "as interface.hardwareAddr, if both",
    ),
  ),
  "vf.trust": classOnly(served("Whether the VF may change its MAC address and be promiscuous")),
  "vf.spoofCheck": classOnly(served("Whether frames from another MAC address than the VF's are dropped")),
  "vf.linkState": classOnly(
    served("Link of the VF: auto as that of the PF, enable always up, disable never", "where the driver has it"),
  ),
  "vf.minTxRate": classOnly(
    served("Mbit/s that the VF may always send; 0: none", "where the driver has it; not above maxTxRate"),
  ),
  "vf.maxTxRate": classOnly(served("Mbit/s that the VF may send at most; 0: no limit")),

  driver: classOnly(
    served(
      "vfio-pci: the function goes to the pod as a VFIO device, without a link, and gets its driver back on return",
      "with an IOMMU; not with interface, routes, rules, neighbors or ethtool",
    ),
  ),
  vhostNet: classOnly(served("Give the pod's containers /dev/vhost-net too")),
  tun: classOnly(served("Give the pod's containers /dev/net/tun too")),
} as const satisfies Readonly<Record<string, Field>>;

export type FieldPath = keyof typeof TABLE;
export const FIELDS: Readonly<Record<FieldPath, Field>> = TABLE;

/**
 * Sections with effects beyond the pod, kept for DeviceClasses. Their names are taken, so that a configuration written
 * for a later version is not mistaken for a misspelt one.
 */
export const RESERVED: Readonly<Record<string, readonly string[]>> = {
  "": ["subInterface"],
  interface: ["mode"],
};

/** Fields that are served and granted as a whole: `interface.mtu`, `routes`, `ethtool.rings`. */
export const WHOLE_FIELDS: readonly string[] = Object.entries(FIELDS).flatMap(([path, { served }]) =>
  served === undefined ? [] : [path],
);

/** Objects that only hold fields. */
export const SECTIONS = ["interface", "ethtool", "cpu", "vf"] as const;

/** What stands beside a key of the object at `section`: `""`, `interface`, `routes`, `interface.vrf`. */
export function keysBeside(section: string): readonly string[] {
  const heads = ["", "[]"].map((suffix) => (section === "" ? "" : `${section}${suffix}.`));
  const keys = Object.keys(FIELDS).flatMap((path) =>
    heads.filter((head) => path.startsWith(head)).map((head) => path.slice(head.length).split(/[.[]/, 1)[0] ?? ""),
  );
  return [...new Set(keys)];
}

/** The value at a plain path of what a user wrote, or `undefined`. */
export function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((at, key) => (typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined), value);
}

export function isOneOf(values: readonly unknown[], given: unknown): boolean {
  return values.some((one) => JSON.stringify(one) === JSON.stringify(given));
}

/** Go's decoder takes null, and DRANET the empty text, for "not given". */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}
