/**
 * libibverbs: which RDMA devices user space can use. Only exported symbols are bound; the data-path verbs
 * (`ibv_post_send`, …) are inline functions of verbs.h. Never embedded: without the providers of its own build the
 * library lists nothing, without an error.
 */

import { dlopen, type Pointer, ptr, read, FFIType as T } from "bun:ffi";
import { constants } from "node:os";
import { errno } from "./errno.ts";
import { hostLibrary } from "./library.ts";
import { ADDRESS, Owned } from "./owned.ts";
import { SysError } from "./sys-error.ts";

const SYMBOLS = {
  ibv_get_device_list: { args: [T.ptr], returns: T.ptr }, // struct ibv_device **(int *num_devices)
  ibv_free_device_list: { args: [T.ptr], returns: T.void }, // void (struct ibv_device **list)
  ibv_get_device_name: { args: [T.ptr], returns: T.cstring }, // const char *(struct ibv_device *)
  ibv_get_device_guid: { args: [T.ptr], returns: T.u64 }, // __be64 (struct ibv_device *)
} as const;
const POINTER_BYTES = 8;

export interface VerbsDevice {
  /** `mlx5_0` */
  readonly name: string;
  /** `0c42:a103:0065:1a2e` */
  readonly nodeGuid: string;
}

export interface Verbs {
  /** The devices of this thread's namespace; none where the kernel has no RDMA. Throws SysError. */
  listDevices(): VerbsDevice[];
}

/** Opens the host's library for the life of the process; `undefined` where it is not installed. */
export function openVerbs(library: string | undefined = hostLibrary("libibverbs.so.1")): Verbs | undefined {
  if (library === undefined) return undefined;
  const { symbols: c } = dlopen(library, SYMBOLS);
  return {
    listDevices() {
      const count = new Int32Array(1);
      const list = c.ibv_get_device_list(ptr(count));
      if (list === null) {
        const code = errno();
        if (code === constants.errno.ENOSYS) return [];
        throw new SysError("ibv_get_device_list", code, library);
      }
      using devices = new Owned("ibv_get_device_list", list, c.ibv_free_device_list);
      // Copied out: no address outlives the list.
      return Array.from({ length: count[0] ?? 0 }, (_, at) => {
        const device = read.ptr(devices[ADDRESS], at * POINTER_BYTES) as Pointer;
        return {
          name: String(c.ibv_get_device_name(device)),
          nodeGuid: formatGuid(c.ibv_get_device_guid(device)),
        };
      });
    },
  };
}

/** The library answers the eight bytes as they lie in memory, most significant first. */
function formatGuid(bigEndian: bigint): string {
  const bytes = new Uint8Array(BigUint64Array.of(bigEndian).buffer);
  return bytes.toHex().match(/.{4}/g)?.join(":") ?? "";
}
