/** When what has to happen to a lease (RFC 2131 §4.4.5). Pure. */

import type { DhcpLease } from "./lease.ts";

/** bound: nothing. renewing: ask its server. rebinding: ask any. expired: the address is no longer ours. */
export type Phase = "bound" | "renewing" | "rebinding" | "expired";

/** RFC 2131 has 60 s, for leases of hours; no server is harmed by this on leases of minutes. */
const LEAST_PAUSE_MS = 5_000;
/** Between tries for a new address after the old one is lost. */
const MOST_PAUSE_MS = 60_000;

export function phaseOf(lease: DhcpLease, nowMs: number): Phase {
  const { takenAtMs, seconds, renewAfterSeconds = 0, rebindAfterSeconds = 0 } = lease;
  if (seconds === undefined) return "bound";
  const age = (nowMs - takenAtMs) / 1000;
  if (age >= seconds) return "expired";
  if (age >= rebindAfterSeconds) return "rebinding";
  return age >= renewAfterSeconds ? "renewing" : "bound";
}

/** When the lease needs attention next: at its next phase, or for another try half of the way there. */
export function nextAttentionMs(lease: DhcpLease, nowMs: number, triedAtMs: number | undefined): number {
  const { takenAtMs, seconds, renewAfterSeconds = 0, rebindAfterSeconds = 0 } = lease;
  if (seconds === undefined) return Number.POSITIVE_INFINITY;
  const phase = phaseOf(lease, nowMs);
  if (phase === "bound") return takenAtMs + renewAfterSeconds * 1000;
  if (phase === "expired") return triedAtMs === undefined ? nowMs : triedAtMs + MOST_PAUSE_MS / 4;
  const begin = takenAtMs + (phase === "renewing" ? renewAfterSeconds : rebindAfterSeconds) * 1000;
  const end = takenAtMs + (phase === "renewing" ? rebindAfterSeconds : seconds) * 1000;
  if (triedAtMs === undefined || triedAtMs < begin) return begin;
  return Math.min(end, triedAtMs + Math.max((end - triedAtMs) / 2, LEAST_PAUSE_MS));
}

/** T2, since 1970. */
export function rebindAtMs({ takenAtMs, rebindAfterSeconds = Number.POSITIVE_INFINITY }: DhcpLease): number {
  return takenAtMs + rebindAfterSeconds * 1000;
}

/** Whole seconds of the lease that are left; `undefined` for ever. */
export function secondsLeft({ takenAtMs, seconds }: DhcpLease, nowMs: number): number | undefined {
  return seconds === undefined ? undefined : Math.max(0, Math.floor(seconds - (nowMs - takenAtMs) / 1000));
}
