/** What a name of `ethtool -k` or `ethtool -K` means in the kernel's features (ethtool's features.c and ethtool.8). */

/** Old short name, old long name, and the kernel's feature or a pattern for several. */
const OLD_NAMES: readonly (readonly [string, string, string])[] = [
  ["rx", "rx-checksumming", "rx-checksum"],
  ["tx", "tx-checksumming", "tx-checksum-*"],
  ["sg", "scatter-gather", "tx-scatter-gather*"],
  ["tso", "tcp-segmentation-offload", "tx-tcp*-segmentation"],
  ["ufo", "udp-fragmentation-offload", "tx-udp-fragmentation"],
  ["gso", "generic-segmentation-offload", "tx-generic-segmentation"],
  ["gro", "generic-receive-offload", "rx-gro"],
  ["lro", "large-receive-offload", "rx-lro"],
  ["rxvlan", "rx-vlan-offload", "rx-vlan-hw-parse"],
  ["txvlan", "tx-vlan-offload", "tx-vlan-hw-insert"],
  ["ntuple", "ntuple-filters", "rx-ntuple-filter"],
  ["rxhash", "receive-hashing", "rx-hashing"],
];

/** Those of `known` that are meant; none when the name is not one. */
export function featuresMeant(name: string, known: readonly string[]): readonly string[] {
  if (known.includes(name)) return [name];
  const pattern = OLD_NAMES.find(([short, long]) => name === short || name === long)?.[2];
  if (pattern === undefined) return [];
  const [head = "", tail] = pattern.split("*");
  if (tail === undefined) return known.filter((feature) => feature === head);
  return known.filter((feature) => feature.startsWith(head) && feature.endsWith(tail));
}
