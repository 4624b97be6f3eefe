import { SysError } from "../../ffi/sys-error.ts";
import { makePrivate, unshareMounts } from "../../ffi/unshare.ts";

/** From now on the mounts of this thread and of its children are their own affair. Throws SysError (EPERM). */
export function ownMounts(): void {
  unshareMounts();
  try {
    makePrivate("/", { recursive: true });
  } catch (error) {
    // In a chroot the root may be no mount point. What the demo mounts there it unmounts, and it makes that private.
    if (!(error instanceof SysError && error.errnoName === "EINVAL")) throw error;
  }
}
