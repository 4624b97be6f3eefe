/** What the OCI runtime can be asked for by `linux.netDevices` (runtime-spec 1.3, config-linux.md): a name. Pure. */

import type { AttachPlan } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { LinkSnapshot } from "../kernel/calls.ts";
import { ClaimError } from "../lib/errors.ts";

/** What a configuration may say although the runtime does nothing of it: netferry does, or it asks for nothing. */
const NOT_OF_THE_LINK: ReadonlySet<string> = new Set(["interface.name", "cpu", "rdmaExclusive", "umad", "issm"]);
const ASKS_FOR_NOTHING: ReadonlySet<unknown> = new Set([false, "Passthrough", "Static"]);

/** Throws a ClaimError that lists everything that the runtime cannot do. */
export function planByRuntime(config: NetworkConfig, host: LinkSnapshot): AttachPlan {
  const { interface: link = {}, ...sections } = config;
  const given = [
    ...Object.entries(link).map(([key, value]) => [`interface.${key}`, value] as const),
    ...Object.entries(sections),
  ];
  const refused = given.filter(([path, value]) => !NOT_OF_THE_LINK.has(path) && !isEmpty(value)).map(([path]) => path);
  if (refused.length > 0)
    throw new ClaimError(
      `${refused.join(", ")} cannot be had with --attach=oci: the OCI runtime gives the link a name and nothing else; take that out, or run netferry with --attach=netlink`,
    );
  const ifname = link.name ?? host.link.ifname;
  // Only a name that no other pod has shows that the runtime has moved the link: an old one ignores linux.netDevices.
  if (ifname === "eth0")
    throw new ClaimError("a link that the OCI runtime moves cannot be named eth0: give it another interface.name");
  return { ifname, steps: [], movedBy: "oci", leftOut: leftOut(host) };
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || ASKS_FOR_NOTHING.has(value)) return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** The runtime carries permanent global addresses over, runc 1.4.3 those of IPv4 alone. */
function leftOut({ routes, neighbors, addresses }: LinkSnapshot): readonly string[] {
  return [
    ...(routes.length === 0 ? [] : ["routes stay behind: the OCI runtime does not carry them over"]),
    ...(neighbors.length === 0 ? [] : ["neighbours stay behind: the OCI runtime does not carry them over"]),
    ...(addresses.some(({ family, scope }) => family === "ipv6" && scope === 0)
      ? ["IPv6 addresses may stay behind: that depends on the OCI runtime"]
      : []),
  ];
}
