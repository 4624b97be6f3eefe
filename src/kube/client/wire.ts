/**
 * Kubernetes objects as they travel in JSON. The library's classes describe the objects after its own deserialiser:
 * times are `Date`, and `int` is called `_int`. Only their types are imported, so they cost no memory at run time.
 */

import type { CoreV1Event } from "@kubernetes/client-node/dist/gen/models/CoreV1Event.js";
import type { V1Node } from "@kubernetes/client-node/dist/gen/models/V1Node.js";
import type { V1ObjectMeta } from "@kubernetes/client-node/dist/gen/models/V1ObjectMeta.js";
import type { V1OwnerReference } from "@kubernetes/client-node/dist/gen/models/V1OwnerReference.js";
import type { V1ResourceSlice } from "@kubernetes/client-node/dist/gen/models/V1ResourceSlice.js";

/** A library class as plain JSON. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? { readonly [Key in keyof T as Key extends `_${infer Name}` ? Name : Key]: Wire<T[Key]> }
      : T;

export type ObjectMeta = Wire<V1ObjectMeta>;
export type OwnerReference = Wire<V1OwnerReference>;
export type Node = Wire<V1Node>;
export type KubeEvent = Wire<CoreV1Event>;
export type ResourceSlice = Wire<V1ResourceSlice>;
export type ResourceSliceSpec = ResourceSlice["spec"];
export type SliceDevice = NonNullable<ResourceSliceSpec["devices"]>[number];
export type SliceAttribute = NonNullable<SliceDevice["attributes"]>[string];

/** What every object has. */
export interface KubeObject {
  readonly metadata?: ObjectMeta;
}

export interface KubeList<T> {
  readonly items: readonly T[];
  /** Of the list as a whole: a watch from here misses nothing. */
  readonly resourceVersion: string;
}
