/** A character device that the containers which name the request are given, under the path that it has on the host. */
export interface DeviceNode {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  /** What a container may do with it: `rw`. */
  readonly permissions: string;
  /** Permission bits and owners, as on the host. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}
