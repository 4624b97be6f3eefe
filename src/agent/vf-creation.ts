/** Gives PFs the number of VFs that the node's configuration says, at start and whenever it became possible or was undone. */

import { readFileSync } from "node:fs";
import type { ClaimStore } from "../claims/store.ts";
import type { SriovConfig } from "../config/node-config.ts";
import type { Condition } from "../http/condition.ts";
import type { Kernel } from "../kernel/calls.ts";
import type { Clock } from "../lib/clock.ts";
import { ConfigError, describeError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { PciFunction } from "../sysfs/function.ts";
import { decideVfCount } from "./vf-count.ts";

/** A claim that ended, a PF whose driver came late: nobody waits for the VFs of a node within seconds. */
const INTERVAL_MS = 10_000;

export interface VfCreationParts {
  /** The scanning Worker: with some drivers this takes seconds. */
  readonly kernel: Pick<Kernel, "listLinks" | "readFunction" | "setNumVfs">;
  readonly sysfsRoot: string;
  readonly store: Pick<ClaimStore, "records">;
  readonly clock: Clock;
  readonly log: Logger;
}

export class VfCreation {
  readonly #parts: VfCreationParts;
  readonly #wanted: readonly SriovConfig[];
  /** By PF: why it has another number now. */
  readonly #problems = new Map<string, string>();
  #attempted = false;

  constructor(parts: VfCreationParts, wanted: readonly SriovConfig[]) {
    this.#parts = parts;
    this.#wanted = wanted;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const entry of this.#wanted) await this.#attempt(entry, signal);
      this.#attempted = true;
      await this.#parts.clock.sleep(INTERVAL_MS, signal).catch(() => undefined); // the signal aborted
    }
  }

  /** A PF that has to wait is no reason to take the node out of service: its devices are served. */
  condition(): Condition {
    const problems = [...this.#problems.values()].join("; ");
    const done = this.#attempted ? "every PF has the VFs that it is to have" : "the PFs were not looked at yet";
    return { name: "sriov", ready: true, message: problems || done };
  }

  async #attempt(entry: SriovConfig, signal: AbortSignal): Promise<void> {
    const { kernel, sysfsRoot, store, log } = this.#parts;
    try {
      const pf = await this.#find(entry.pf, signal);
      const decision = decideVfCount(entry, pf, store.records);
      if (decision.kind === "refused") return this.#tell(entry.pf, decision.sentence);
      this.#problems.delete(entry.pf);
      if (decision.kind === "asWanted" || pf === undefined) return;
      const { from, to } = decision;
      await kernel.setNumVfs({ sysfsRoot, pf: pf.address, from, to }, signal);
      log.info("number of VFs changed", { pf: entry.pf, pciAddress: pf.address, from, to });
    } catch (error) {
      if (!signal.aborted)
        this.#tell(entry.pf, `the PF ${entry.pf} cannot have ${entry.numVFs} VFs: ${describeError(error)}`);
    }
  }

  /** Once for each new sentence: it is tried again and again. */
  #tell(pf: string, problem: string): void {
    if (this.#problems.get(pf) === problem) return;
    this.#problems.set(pf, problem);
    this.#parts.log.warn("a PF has not the number of VFs that it is to have", { pf, problem });
  }

  async #find(pf: string, signal: AbortSignal): Promise<PciFunction | undefined> {
    const { kernel, sysfsRoot } = this.#parts;
    const address = pf.includes(":") ? pf : await this.#addressOf(pf, signal);
    if (address === undefined) return undefined;
    return (await kernel.readFunction({ sysfsRoot, address, drivers: [] }, signal))?.function;
  }

  /** A PF that is in a pod is known by the name that it had. */
  async #addressOf(ifname: string, signal: AbortSignal): Promise<string | undefined> {
    const links = await this.#parts.kernel.listLinks({ netns: "host" }, signal);
    const link = links.find((one) => one.ifname === ifname || one.altnames.includes(ifname));
    if (link !== undefined) return link.parentDevBusName === "pci" ? link.parentDevName : undefined;
    return this.#parts.store.records.find(({ published }) => published.identity.ifname === ifname)?.published.identity
      .pciAddress;
  }
}

/** `undefined` without a file. Throws a ConfigError. */
export async function vfCreation(parts: VfCreationParts, path: string): Promise<VfCreation | undefined> {
  if (path === "") return undefined;
  const { parseNodeConfig } = await import("../config/node-config.ts"); // zod and yaml, for this alone
  return new VfCreation(parts, parseNodeConfig(readText(path), path).sriov);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError("--node-config", `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}
