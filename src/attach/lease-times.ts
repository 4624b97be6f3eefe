/** Leases are as old as they are, whatever the clock says now: their servers have clocks of their own. Pure. */

import type { HeldLease } from "../claims/record.ts";

/** Clocks drift, and are slewed; nothing here is as exact. */
const LEAST_STEP_MS = 2_000;

/**
 * The lease by the clock as it is now, by which the kernel booted at `bootedAtMs`; itself when its time is right. One
 * of another boot was taken when it says.
 */
export function atClock(lease: HeldLease, bootedAtMs: number): HeldLease {
  const { takenAtMs, takenUpMs } = lease;
  if (takenUpMs === undefined) return { ...lease, takenUpMs: takenAtMs - bootedAtMs };
  const rightMs = bootedAtMs + takenUpMs;
  return Math.abs(rightMs - takenAtMs) < LEAST_STEP_MS ? lease : { ...lease, takenAtMs: rightMs };
}
