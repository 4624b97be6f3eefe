/** A claim's whole way without kubelet and runtime: prepare, attach into a namespace, and what goes on there. */

import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ferry } from "../../src/attach/ferry.ts";
import { HeldNamespaces } from "../../src/attach/held-namespaces.ts";
import { LeaseKeeper } from "../../src/attach/lease-keeper.ts";
import { Leases } from "../../src/attach/leases.ts";
import { prepareClaim } from "../../src/attach/prepare.ts";
import { SlaacWatcher } from "../../src/attach/slaac-watcher.ts";
import { Receipts } from "../../src/cdi/receipts.ts";
import type { ClaimDevice } from "../../src/claims/record.ts";
import { ClaimStore } from "../../src/claims/store.ts";
import { parseNetworkConfig } from "../../src/config/network-config.ts";
import { startKernel } from "../../src/kernel/client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createLogger } from "../../src/lib/log.ts";
import { eventually } from "../fakes/eventually.ts";
import type { ServerPlace } from "./dhcp-servers.ts";
import { HostLinks } from "./links.ts";
import { TestNetns } from "./netns.ts";

export const CLAIM = { uid: "claim-uid", namespace: "ns", name: "c" };
/** Less than the agent's default. */
export const SLAAC_MS = 1_000;
const POD = { uid: "pod-uid", name: "p", namespace: "ns", hostNetwork: false };

export class AddressLab implements AsyncDisposable {
  readonly links = new HostLinks();
  readonly pod = new TestNetns("nfk");
  readonly store = ClaimStore.open(":memory:", "boot");
  readonly lines: string[] = [];
  readonly events: string[] = [];
  readonly changes: ClaimDevice[] = [];
  readonly ifname: string;
  readonly place: ServerPlace;
  readonly #dir = mkdtempSync(join(tmpdir(), "netferry-leases-"));
  readonly #parts: Awaited<ReturnType<typeof startParts>>;

  private constructor(parts: Awaited<ReturnType<typeof startParts>>, peerAddresses: readonly string[]) {
    const { ifname, peer, netns } = this.links.vethToPeer(peerAddresses);
    this.ifname = ifname;
    this.place = { netns, ifname: peer };
    this.#parts = parts;
    this.pod.ip("link", "set", "lo", "up");
  }

  /** `peerAddresses`: of the link's other end, in a namespace of its own, for a server. */
  static async start(peerAddresses: readonly string[]): Promise<AddressLab> {
    return new AddressLab(await startParts(), peerAddresses);
  }

  #log() {
    return createLogger({ level: "info", write: (line) => this.lines.push(line) });
  }

  get record(): ClaimDevice {
    const [record] = this.store.records;
    if (record === undefined) throw new Error("there is no record");
    return record;
  }

  /** What an agent has of this, built as the agent builds it; `task` runs while it keeps leases. */
  async agent<T>(task: (agent: { ferry: Ferry; leases: Leases }) => Promise<T>): Promise<T> {
    const { kernel } = this.#parts;
    const log = this.#log();
    const common = { store: this.store, clock: systemClock, log };
    const onEvent = (event: string) => void this.events.push(event);
    const observer = {
      attached: (record: ClaimDevice) => {
        keeper.attached(record);
        watcher.attached(record);
      },
      addressesChanged: (record: ClaimDevice) => void this.changes.push(record),
    };
    using held = new HeldNamespaces(kernel.hook);
    const receipts = new Receipts(this.#dir, "dra.net");
    const ferry = new Ferry({
      ...common,
      kernel: kernel.hook,
      slowKernel: kernel.scan,
      sysfsRoot: "/sys",
      held,
      receipts,
      driver: "dra.net",
      observer,
      slaacReadyTimeoutMs: SLAAC_MS,
    });
    const leases = new Leases({
      ...common,
      kernel: kernel.scan,
      timeoutMs: 4_000,
      raised: this.store.raisedLinks,
      onEvent,
    });
    const keeper = new LeaseKeeper({ ...common, kernel: kernel.scan, ferry, held, observer, onEvent });
    const stop = new AbortController();
    const watcher = new SlaacWatcher({ ...common, kernel: kernel.scan, ferry, held, observer });
    const running = [keeper.run(stop.signal), watcher.run(stop.signal)];
    try {
      return await task({ ferry, leases });
    } finally {
      stop.abort();
      await Promise.all(running);
      await ferry[Symbol.asyncDispose]();
    }
  }

  /** `beside`: other links of the host, by name, with their configurations. */
  async prepare(
    { ferry, leases }: { ferry: Ferry; leases: Leases },
    config: object,
    beside: Readonly<Record<string, object>> = {},
  ): Promise<void> {
    const devices = Object.entries({ [this.ifname]: config, ...beside }).map(([ifname, parameters]) => ({
      request: ifname,
      pool: "node",
      device: ifname,
      config: parseNetworkConfig(parameters, "test"),
    }));
    await prepareClaim(
      {
        ferry,
        leases,
        store: this.store,
        kernel: this.#parts.kernel.scan,
        sysfsRoot: "/sys",
        findDevice: async (name) => ({ name, identity: { ifname: name, kind: "veth" }, attributes: {} }),
      },
      { ...CLAIM, devices },
      POD,
      new AbortController().signal,
    );
  }

  async attach({ ferry }: { ferry: Ferry }): Promise<void> {
    const sandbox = { id: "sandbox", podUid: POD.uid, podName: POD.name, podNamespace: POD.namespace };
    const { failed } = await ferry.attachSandbox({ ...sandbox, netnsPath: this.pod.path }, false);
    expect(failed).toEqual([]);
  }

  address(): { readonly local: string; readonly valid_life_time: number } | undefined {
    const [link] = this.pod.json("-4", "addr", "show", "dev", "net1");
    return link?.addr_info[0];
  }

  /** Until the lease's time begins anew. */
  async extended(): Promise<void> {
    const before = this.record.lease?.takenAtMs ?? 0;
    await eventually("the lease is extended", () => (this.record.lease?.takenAtMs ?? 0) > before, 20_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts[Symbol.asyncDispose]();
    this.store[Symbol.dispose]();
    this.pod[Symbol.dispose]();
    this.links[Symbol.dispose]();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

async function startParts() {
  const kernel = await startKernel({
    createWorker: () => new Worker(new URL("../../src/kernel/worker.ts", import.meta.url)),
    log: createLogger({ level: "error", write: (line) => process.stderr.write(line) }),
  });
  return { kernel, [Symbol.asyncDispose]: () => kernel[Symbol.asyncDispose]() };
}
