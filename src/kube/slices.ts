/** The pool of a node as ResourceSlices. Pure. */

import type { OwnerReference, ResourceSlice, ResourceSliceSpec, SliceDevice } from "./client/wire.ts";
import { MAX_DEVICES_PER_SLICE, MAX_RICH_DEVICES_PER_SLICE } from "./limits.ts";

export interface PoolIdentity {
  readonly driver: string;
  readonly nodeName: string;
  /** Slices vanish with the Node that owns them. */
  readonly nodeUid: string;
}

/** One slice of the pool, without the generation, which depends on what the server has. */
export interface DesiredSlice {
  readonly generateName: string;
  readonly owner: OwnerReference;
  readonly devices: readonly SliceDevice[];
}

/**
 * Cuts the devices, which come sorted, into slices. No devices make one empty slice: it says that the driver is there.
 */
export function desiredSlices(pool: PoolIdentity, devices: readonly SliceDevice[]): readonly DesiredSlice[] {
  const owner: OwnerReference = {
    apiVersion: "v1",
    kind: "Node",
    name: pool.nodeName,
    uid: pool.nodeUid,
    controller: true,
  };
  const room = devices.some(isRich) ? MAX_RICH_DEVICES_PER_SLICE : MAX_DEVICES_PER_SLICE;
  const count = Math.max(1, Math.ceil(devices.length / room));
  return Array.from({ length: count }, (_, index) => ({
    generateName: `${namePrefix(index)}${pool.driver}-${pool.nodeName}-`,
    owner,
    devices: devices.slice(index * room, (index + 1) * room),
  }));
}

/** One such device halves the room in its slice; in every slice here, so that a device seldom changes its slice. */
function isRich(device: SliceDevice): boolean {
  return Object.values(device.attributes ?? {}).some(({ ints }) => ints !== undefined);
}

/** The allocator takes the first device that fits, slices in the order of their names: so the index leads the name. */
export function namePrefix(index: number): string {
  return `${index.toString(16).padStart(5, "0")}-`;
}

/** The whole object, to create or to replace `existing` with. */
export function sliceObject(
  pool: PoolIdentity,
  desired: DesiredSlice,
  numbers: { readonly generation: number; readonly count: number },
  existing?: ResourceSlice,
): ResourceSlice {
  const spec: ResourceSliceSpec = {
    driver: pool.driver,
    nodeName: pool.nodeName,
    pool: { name: pool.nodeName, generation: numbers.generation, resourceSliceCount: numbers.count },
    devices: desired.devices,
  };
  const type = { apiVersion: "resource.k8s.io/v1", kind: "ResourceSlice" };
  if (existing === undefined)
    return { ...type, metadata: { generateName: desired.generateName, ownerReferences: [desired.owner] }, spec };
  return { ...type, metadata: { ...existing.metadata, ownerReferences: [desired.owner] }, spec };
}
