/** Character devices that reach a container by NRI, since no receipt brings them. Pure. */

import { markerIn } from "../cdi/receipt.ts";
import type { ClaimDevice } from "../claims/record.ts";
import type { DeviceNode } from "../kernel/device-node.ts";
import type { SandboxContainer } from "./handlers.ts";

/**
 * Those of claims that none of the pod's containers names, or of which nobody knows who names them: as in DRANET every
 * container gets them. Where some name the claim and receipts cannot be seen, those get them.
 */
export function addedNodes(records: readonly ClaimDevice[], container: SandboxContainer): readonly DeviceNode[] {
  const nodes = records.flatMap(({ claimUid, namedBy = [], plan }) => {
    if (markerIn(container.env, claimUid) !== undefined) return []; // the receipt brought them
    const isMeant = namedBy.length === 0 || namedBy.includes(container.name);
    return isMeant ? (plan.deviceNodes ?? []) : [];
  });
  return [...new Map(nodes.map((node) => [node.path, node])).values()];
}
