/**
 * Extends the leases of links that are in pods, and looks for a new address where a lease is lost. The Worker opens a
 * socket inside the pod's namespace; all that takes time happens outside of it. Goes by the store, so that an agent
 * that starts goes on where the one before it stopped.
 */

import { type AwayDevice, type ClaimDevice, type HeldLease, keyText } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import { broadcasting, framing, SocketChannel } from "../dhcp/channel.ts";
import { extendLease, takeLease } from "../dhcp/client.ts";
import type { DhcpLease } from "../dhcp/lease.ts";
import { nextAttentionMs, phaseOf, rebindAtMs } from "../dhcp/phase.ts";
import type { Kernel, NetnsRef } from "../kernel/calls.ts";
import type { Clock } from "../lib/clock.ts";
import { Deadline } from "../lib/deadline.ts";
import type { Logger } from "../lib/log.ts";
import { Wakeup } from "../lib/wakeup.ts";
import type { Ferry } from "./ferry.ts";
import type { HeldNamespaces } from "./held-namespaces.ts";
import { atClock } from "./lease-times.ts";
import { leaseChange, withLease, withoutLease } from "./leased.ts";
import type { LeaseEvent } from "./leases.ts";
import { type AttachObserver, logFields } from "./parts.ts";

export interface LeaseKeeperParts {
  /** The scanning Worker: no hook waits for this. */
  readonly kernel: Pick<Kernel, "applySteps" | "listLinks" | "openDhcpSocket">;
  readonly ferry: Pick<Ferry, "whilePodRests">;
  readonly store: ClaimStore;
  readonly held: HeldNamespaces;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: AttachObserver;
  readonly onEvent: (event: LeaseEvent) => void;
}

type Leased = AwayDevice & { readonly lease: HeldLease };

/** Also without an event: a record may have changed in a way that nobody told. */
const LOOK_AGAIN_MS = 30_000;
/** For one exchange, after which it waits for its next turn. */
const EXCHANGE_MS = 6_000;

export class LeaseKeeper implements AttachObserver {
  readonly #parts: LeaseKeeperParts;
  /** By the record's `keyText`. */
  readonly #triedAtMs = new Map<string, number>();
  readonly #underway = new Map<string, Promise<void>>();
  readonly #wakeup = new Wakeup();

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts;
  }

  attached(record: ClaimDevice): void {
    if (record.lease !== undefined) this.#wakeup.call();
  }

  /** Runs until `signal` aborts; then an exchange that is under way ends too. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#parts;
    while (!signal.aborted) {
      await this.#followClock();
      const nowMs = clock.nowMs();
      let nextMs = nowMs + LOOK_AGAIN_MS;
      const leased = store.records.filter(isLeased);
      const keys = new Set(leased.map(keyText));
      for (const key of this.#triedAtMs.keys()) if (!keys.has(key)) this.#triedAtMs.delete(key);
      for (const record of leased) {
        const key = keyText(record);
        if (this.#underway.has(key)) continue;
        const dueMs = this.#dueMs(record, nowMs);
        if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs);
        else this.#start(key, record, signal);
      }
      using pause = new Deadline(signal, Math.max(0, nextMs - nowMs));
      await this.#wakeup.wait(pause.signal);
    }
    await Promise.all(this.#underway.values());
  }

  /** The clock may have been set, also while no agent ran. */
  async #followClock(): Promise<void> {
    const { store, ferry, clock, log } = this.#parts;
    const bootedAtMs = clock.nowMs() - clock.upMs();
    const isRight = ({ lease }: ClaimDevice) => lease === undefined || atClock(lease, bootedAtMs) === lease;
    for (const known of store.records.filter((record) => !isRight(record)))
      await ferry.whilePodRests(known.podUid, async () => {
        const record = store.get(known);
        if (record?.lease === undefined || isRight(record)) return;
        const lease = atClock(record.lease, bootedAtMs);
        store.putDurably([{ ...record, lease }]);
        const stepMs = lease.takenAtMs - record.lease.takenAtMs;
        if (stepMs === 0) return;
        this.#triedAtMs.delete(keyText(record));
        log.info("the clock was set, and the lease's time with it", { ...leaseFields(record), stepMs });
      });
  }

  #dueMs(record: Leased, nowMs: number): number {
    const { lease } = record;
    const triedAtMs = this.#triedAtMs.get(keyText(record));
    const given = lease.lost === undefined ? lease : { ...lease, seconds: 0 };
    return nextAttentionMs(given, nowMs, triedAtMs);
  }

  #start(key: string, record: Leased, signal: AbortSignal): void {
    const done = this.#attend(record, signal)
      .catch((error: unknown) => {
        if (!signal.aborted)
          this.#parts.log.warn("DHCP lease could not be extended now; it is tried again", {
            ...leaseFields(record),
            error,
          });
      })
      .finally(() => {
        this.#underway.delete(key);
        this.#wakeup.call();
      });
    this.#underway.set(key, done);
  }

  async #attend(record: Leased, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    const phase = record.lease.lost === undefined ? phaseOf(record.lease, clock.nowMs()) : "expired";
    if (phase === "bound") return;
    this.#triedAtMs.set(keyText(record), clock.nowMs());
    if (phase === "expired" && record.lease.lost === undefined) await this.#lose(record, "expired");
    const channel = await this.#open(record, phase === "renewing");
    if (channel === undefined) return;
    await using exchange = channel;
    // An unanswered server must not cost the others their turn.
    const turnMs = phase === "renewing" ? rebindAtMs(record.lease) - clock.nowMs() : EXCHANGE_MS;
    using limit = new Deadline(signal, Math.max(0, Math.min(EXCHANGE_MS, turnMs)));
    const limits = { clock, signal: limit.signal };
    if (phase === "expired") {
      const { hardwareAddress, address } = record.lease;
      await this.#adopt(
        record,
        await takeLease(exchange, { hardwareAddress, broadcast: false, wish: address }, limits),
      );
      return;
    }
    const answer = await extendLease(exchange, record.lease, limits);
    if (answer === "refused") {
      await this.#lose(record, "refused");
      this.#triedAtMs.delete(keyText(record));
    } else if (answer !== undefined) await this.#adopt(record, answer);
    else if (!signal.aborted) log.warn("no DHCP server extends the lease; it is tried again", leaseFields(record));
  }

  /** `undefined` when the link is not in the pod any more. */
  async #open(known: Leased, isUnicast: boolean): Promise<SocketChannel | undefined> {
    const { kernel } = this.#parts;
    return this.#whileInPod(known, async (record, netns, ifindex) => {
      const link = (await kernel.listLinks({ netns })).find((one) => one.ifindex === ifindex);
      if (link?.address === undefined) return undefined;
      const { server: destination, serverHardwareAddress: to } = record.lease;
      const wrapping = isUnicast ? framing({ from: link.address, to, destination }) : broadcasting(link.address);
      const { fd } = await kernel.openDhcpSocket({ netns, ifindex });
      return SocketChannel.open(fd, wrapping, link.ifname);
    });
  }

  /** RFC 2131 §4.4.5: the address must not be used any more. */
  async #lose(known: Leased, reason: "refused" | "expired"): Promise<void> {
    const { kernel, store, log, clock, observer, onEvent } = this.#parts;
    await this.#whileInPod(known, async (record, netns, ifindex) => {
      const plan = withoutLease(record.plan, record.lease);
      const steps = leaseChange(record.plan, plan, { before: record.lease });
      await kernel.applySteps({ netns, ifindex, steps, onFailure: "continue" });
      const lost = { ...record, plan, lease: { ...record.lease, lost: { reason, sinceMs: clock.nowMs() } } };
      store.putDurably([lost]);
      onEvent(reason);
      log.warn("DHCP lease is lost: the link has no address in its pod until a server gives one", {
        ...leaseFields(record),
        reason,
      });
      observer.addressesChanged?.(lost);
    });
  }

  async #adopt(known: Leased, granted: DhcpLease): Promise<void> {
    const { kernel, store, log, clock, observer, onEvent } = this.#parts;
    await this.#whileInPod(known, async (record, netns, ifindex) => {
      const before = record.lease;
      const { metric, table } = before;
      const lease: HeldLease = { ...granted, metric, ...(table === undefined ? {} : { table }) };
      const plan = withLease(record.plan, before, lease, clock.nowMs());
      const steps = leaseChange(record.plan, plan, { before, after: lease });
      const { failed } = await kernel.applySteps({ netns, ifindex, steps, onFailure: "continue" });
      const adopted: ClaimDevice = { ...record, plan, lease };
      store.putDurably([adopted]);
      for (const { step, problem } of failed)
        log.warn("a part of the DHCP lease could not be applied in the pod", {
          ...leaseFields(record),
          step: step.op,
          problem,
        });
      const isNew = before.lost !== undefined || before.address !== lease.address;
      onEvent(isNew ? "taken" : "extended");
      const fields = { ...leaseFields(adopted), seconds: lease.seconds };
      if (!isNew) return log.info("DHCP lease extended", fields);
      log.warn("the link has a new DHCP lease in its pod", { ...fields, addressBefore: before.address });
      observer.addressesChanged?.(adopted);
    });
  }

  /** Runs `task` while nothing else happens to the pod, if the link is still there and has the lease that was meant. */
  #whileInPod<T>(
    known: Leased,
    task: (record: Leased, netns: NetnsRef, ifindex: number) => Promise<T>,
  ): Promise<T | undefined> {
    const { ferry, store, held } = this.#parts;
    return ferry.whilePodRests(known.podUid, async () => {
      const record = store.get(known);
      if (record === undefined || !isLeased(record)) return undefined;
      const { sandboxId, netnsPath, netnsInode, ifindex } = record.attachment;
      const isMeant = sandboxId === known.attachment.sandboxId && record.lease.address === known.lease.address;
      if (!isMeant || ifindex === undefined || netnsPath === undefined) return undefined;
      const netns = await held.hold(sandboxId, netnsPath);
      if (netns.inode === netnsInode) return task(record, { fd: netns.fd }, ifindex);
      held.release(sandboxId); // another pod's by now
      return undefined;
    });
  }
}

function isLeased(record: ClaimDevice): record is Leased {
  return record.state === "attached" && record.lease !== undefined && record.attachment !== undefined;
}

function leaseFields(record: ClaimDevice): Readonly<Record<string, unknown>> {
  return {
    ...logFields(record),
    ifname: record.plan.ifname,
    address: record.lease?.address,
    server: record.lease?.server,
  };
}
