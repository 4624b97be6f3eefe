/** The machine as QEMU is told of it: processors, memory, PCI topology. Pure. */

export interface Machine {
  readonly memoryMiB: number;
  readonly cpus: number;
  /** NUMA nodes, each with a PCI host bridge of its own when there are several. */
  readonly numa: number;
  /** Intel 82576 ports with SR-IOV (7 VFs each), dealt out to the NUMA nodes in turn. */
  readonly igb: number;
  /** Paravirtual links on the first host bridge, which has no NUMA node. */
  readonly virtio: number;
  readonly iommu: boolean;
}

/** Buses below it belong to the devices of QEMU's own host bridge. */
const FIRST_HOST_BRIDGE_BUS = 0x40;

/**
 * The host bridge of node n has the buses from 0x40 * (n + 1); each igb port hangs on a root port of its own. All
 * links are on one Ethernet segment. Their MACs: `52:54:00:bb:00:NN` for igb, `52:54:00:aa:00:NN` for virtio.
 */
export function machineArguments(machine: Machine): string[] {
  const { numa, iommu } = machine;
  return [
    ...["-smp", String(machine.cpus), "-m", `${machine.memoryMiB}M`],
    ...(numa > 1 ? range(numa).flatMap((node) => nodeMemory(machine, node)) : []),
    ...(iommu ? ["-device", "intel-iommu,intremap=on,caching-mode=on"] : []),
    ...(numa > 1 ? range(numa).flatMap(hostBridge) : []),
    // Somebody has to take the segment's frames while all its links are down, else watchdogs of the senders bark.
    ...["-netdev", "user,id=sink,restrict=on,ipv6=off", "-netdev", "hubport,id=sinkport,hubid=0,netdev=sink"],
    ...range(machine.virtio).flatMap(virtioLink),
    ...range(machine.igb).flatMap((port) => igbPort(port, numa > 1 ? `bridge${port % numa}` : "pcie.0")),
  ];
}

function nodeMemory({ memoryMiB, cpus, numa }: Machine, node: number): string[] {
  const own = range(cpus).filter((cpu) => cpu % numa === node);
  return [
    ...["-object", `memory-backend-ram,id=memory${node},size=${Math.floor(memoryMiB / numa)}M`],
    ...["-numa", ["node", `nodeid=${node}`, ...own.map((cpu) => `cpus=${cpu}`), `memdev=memory${node}`].join(",")],
  ];
}

function hostBridge(node: number): string[] {
  const bus = FIRST_HOST_BRIDGE_BUS * (node + 1);
  return ["-device", `pxb-pcie,id=bridge${node},bus=pcie.0,bus_nr=${bus},numa_node=${node}`];
}

function virtioLink(index: number): string[] {
  const device = `virtio-net-pci,bus=pcie.0,netdev=virtio${index},mac=${mac("aa", index)},romfile=`;
  return ["-netdev", `hubport,id=virtio${index},hubid=0`, "-device", device];
}

function igbPort(index: number, bus: string): string[] {
  const rootPort = `pcie-root-port,id=port${index},bus=${bus},chassis=${index + 1},slot=${index + 1}`;
  const device = `igb,bus=port${index},netdev=igb${index},mac=${mac("bb", index)},romfile=`;
  return ["-device", rootPort, "-netdev", `hubport,id=igb${index},hubid=0`, "-device", device];
}

function mac(kind: string, index: number): string {
  return `52:54:00:${kind}:00:${index.toString(16).padStart(2, "0")}`;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
