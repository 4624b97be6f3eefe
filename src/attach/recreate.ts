import type { LinkAttachment } from "../claims/record.ts";
import type { Kernel } from "../kernel/calls.ts";

/** Kinds that are whole in IFLA_INFO_DATA, a lower device and an address. A veth's other end is not ours to make. */
const REPRODUCIBLE = new Set(["macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "vxlan", "dummy", "ifb"]);
const NEEDS_LOWER = new Set(["macvlan", "macvtap", "ipvlan", "ipvtap", "vlan"]);

/** Makes the link again from its snapshot, or says why that cannot be. */
export async function makeAnew(
  kernel: Pick<Kernel, "createLink" | "listLinks">,
  { snapshot, temporaryName }: LinkAttachment,
): Promise<{ readonly ifindex: number } | { readonly impossible: string }> {
  const { link, lowerName } = snapshot;
  const kind = link.kind ?? "";
  if (!REPRODUCIBLE.has(kind))
    return { impossible: `a ${kind} link cannot be made from one end: make ${link.ifname} again` };
  const lower = (await kernel.listLinks({ netns: "host" })).find((candidate) => candidate.ifname === lowerName);
  if (lower === undefined && NEEDS_LOWER.has(kind))
    return { impossible: `its parent ${lowerName ?? "link"} is not on the host: make ${link.ifname} again once it is` };
  return kernel.createLink({
    netns: "host",
    link: {
      ifname: temporaryName,
      kind,
      mtu: link.mtu,
      ...(link.kindData === undefined ? {} : { kindData: link.kindData }),
      ...(lower === undefined ? {} : { lower: lower.ifindex }),
      ...(link.address === undefined ? {} : { address: link.address }),
    },
  });
}
