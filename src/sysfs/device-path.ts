/** What the path of a device below `/sys/devices` tells about it. */

const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
const PCIE_ROOT = /^pci[0-9a-f]{4}:[0-9a-f]{2}$/;
const VIRTIO = /^virtio\d+$/;
const SUBFUNCTION = /\.sf\.\d+$/;
const AUXILIARY = /^[\w-]+\.[\w-]+\.\d+$/;

export function isPciAddress(text: string): boolean {
  return PCI_ADDRESS.test(text);
}

export interface Carrier {
  readonly pciAddress: string;
  /** `mlx5_core.sf.4`: the subfunction, a device on the auxiliary bus, between the function and its class device. */
  readonly subfunction?: string;
}

/**
 * The PCI function that carries the class device (`…/0000:3b:00.0/net/eth0`) at `path`: its parent, or the parent of
 * the virtio or auxiliary device in between. A USB adapter has no function of its own: its controller does not count.
 */
export function carrierOf(path: string): Carrier | undefined {
  const parts = path.split("/");
  // Without the class directory and the class device's own name.
  let at = parts.length - 3;
  let subfunction: string | undefined;
  for (; at >= 0; at--) {
    const part = parts[at] ?? "";
    if (PCI_ADDRESS.test(part)) return { pciAddress: part, ...(subfunction === undefined ? {} : { subfunction }) };
    if (SUBFUNCTION.test(part)) subfunction = part;
    else if (!VIRTIO.test(part) && !AUXILIARY.test(part)) return undefined;
  }
  return undefined;
}

/**
 * `pci0000:3a`, when it is the first element below `/sys/devices` (as the `resource.kubernetes.io/pcieRoot` helper of
 * k8s.io/dynamic-resource-allocation demands). `path` may be relative (`../../../devices/pci0000:3a/…`).
 */
export function pcieRootOf(path: string): string | undefined {
  const parts = path.split("/");
  const first = parts[parts.indexOf("devices") + 1] ?? "";
  return PCIE_ROOT.test(first) ? first : undefined;
}

/** Port name of a representor (`pf0vf3`, `c1pf0sf2`), the switch side of another function: Documentation/networking/devlink/devlink-port.rst. */
export function isRepresentorPort(physPortName: string | undefined): boolean {
  return physPortName !== undefined && /^(c\d+)?pf\d+(hpf|[vs]f\d+)?$/.test(physPortName);
}
