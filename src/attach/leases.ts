/** DHCP over a link that is at home: a lease is taken in Prepare and given back in Unprepare. */

import type { RaisedLinks } from "../claims/raised-links.ts";
import type { ClaimDevice } from "../claims/record.ts";
import { broadcasting, framing, SocketChannel } from "../dhcp/channel.ts";
import { releaseMessage, takeLease } from "../dhcp/client.ts";
import type { DhcpLease } from "../dhcp/lease.ts";
import { phaseOf } from "../dhcp/phase.ts";
import type { Kernel, LinkSnapshot } from "../kernel/calls.ts";
import type { Clock } from "../lib/clock.ts";
import { Deadline } from "../lib/deadline.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { logFields } from "./parts.ts";
import { findPublished } from "./recognise.ts";
import { putDown, whileUp } from "./while-up.ts";

export type LeaseEvent = "taken" | "extended" | "refused" | "expired" | "released" | "release-failed";

export interface LeasesParts {
  /** The scanning Worker. */
  readonly kernel: Pick<Kernel, "applySteps" | "listLinks" | "snapshotLink" | "openDhcpSocket">;
  readonly clock: Clock;
  readonly raised: RaisedLinks;
  readonly log: Logger;
  readonly timeoutMs: number;
  readonly onEvent: (event: LeaseEvent) => void;
}

const ARPHRD_ETHER = 1;
const RELEASE_TRIES = 3;
const RELEASE_LIMIT_MS = 1_500;
/** A card sends what is in its queue; one that goes down forgets it. */
const SENDING_MS = 50;

export class Leases {
  readonly #parts: LeasesParts;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
  }

  /**
   * A lease for the link, which stays as it is. `hardwareAddress`: the one that it will have in the pod. `known`: a lease
   * that it has already, which is good as long as it needs no extension. Rejects with a ClaimError.
   */
  async take(
    host: LinkSnapshot,
    hardwareAddress: string | undefined,
    known: DhcpLease | undefined,
    signal: AbortSignal,
  ): Promise<DhcpLease> {
    const { clock, timeoutMs, onEvent } = this.#parts;
    const { ifname, ifindex, address = "", arpType } = host.link;
    if (arpType !== ARPHRD_ETHER) throw new ClaimError(`DHCP is served on Ethernet links only, which ${ifname} is not`);
    const own = hardwareAddress ?? address;
    if (known?.hardwareAddress === own && phaseOf(known, clock.nowMs()) === "bound") return known;
    using limit = new Deadline(signal, timeoutMs);
    try {
      const lease = await whileUp(this.#parts, host, limit.signal, async () => {
        const { fd } = await this.#parts.kernel.openDhcpSocket({ netns: "host", ifindex });
        await using channel = await SocketChannel.open(fd, broadcasting(address), ifname);
        const asker = {
          hardwareAddress: own,
          broadcast: own !== address,
          ...(known?.hardwareAddress === own ? { wish: known.address } : {}),
        };
        return await takeLease(channel, asker, { clock, signal: limit.signal });
      });
      onEvent("taken");
      return lease;
    } catch (cause) {
      const time = limit.expired ? ` after ${timeoutMs / 1000} s` : "";
      throw new ClaimError(`there is no DHCP lease for ${ifname}${time}`, { cause });
    }
  }

  /** At start, before anything else: puts down the links that an agent which died had up for its questions. */
  async recover(): Promise<void> {
    const { kernel, raised, log } = this.#parts;
    for (const before of raised.all()) {
      const { ifname, ifindex } = before.link;
      try {
        const links = await kernel.listLinks({ netns: "host" });
        if (links.some((link) => link.ifindex === ifindex && link.ifname === ifname))
          await putDown(this.#parts, before);
        else raised.remove(before);
        log.warn("a link was left up by an agent that died while it asked for a lease, and is down again", { ifname });
      } catch (error) {
        log.error("a link that an agent left up could not be put down", { ifname, error });
      }
    }
  }

  /** Tells the servers of leases that nobody uses any more. Never rejects: what cannot be told is logged and runs out. */
  async release(records: readonly ClaimDevice[]): Promise<void> {
    for (const record of records) {
      const { lease } = record;
      if (lease === undefined || lease.lost !== undefined) continue;
      if (phaseOf(lease, this.#parts.clock.nowMs()) === "expired") continue;
      await this.#release(record, lease);
    }
  }

  async #release(record: ClaimDevice, lease: DhcpLease): Promise<void> {
    const { clock, log, onEvent } = this.#parts;
    const fields = { ...logFields(record), address: lease.address, server: lease.server };
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#sendRelease(record, lease);
        onEvent("released");
        log.info("DHCP lease released", fields);
        return;
      } catch (error) {
        if (attempt < RELEASE_TRIES) {
          await clock.sleep(SENDING_MS * attempt);
          continue;
        }
        onEvent("release-failed");
        log.warn("DHCP lease could not be released: its address stays taken until the lease has run out", {
          ...fields,
          secondsOfLease: lease.seconds,
          error,
        });
        return;
      }
    }
  }

  async #sendRelease({ published, device }: ClaimDevice, lease: DhcpLease): Promise<void> {
    const { kernel, clock } = this.#parts;
    const link = findPublished(published.identity, await kernel.listLinks({ netns: "host" }));
    if (link === undefined) throw new ClaimError(`${published.identity.ifname ?? device} is not on the host`);
    const { ifindex, ifname, address = "" } = link;
    const before = await kernel.snapshotLink({ netns: "host", ifindex });
    using limit = new Deadline(new AbortController().signal, RELEASE_LIMIT_MS);
    await whileUp(this.#parts, before, limit.signal, async () => {
      const { fd } = await kernel.openDhcpSocket({ netns: "host", ifindex });
      const way = { from: address, to: lease.serverHardwareAddress, destination: lease.server };
      await using channel = await SocketChannel.open(fd, framing(way), ifname);
      channel.send(releaseMessage(lease));
      await clock.sleep(SENDING_MS);
    });
  }
}
