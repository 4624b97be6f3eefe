/** netferry's own attach and detach, as its hooks run them: the ferry on the main thread, the kernel in its Worker. */

import { join } from "node:path";
import { Ferry } from "../../src/attach/ferry.ts";
import { HeldNamespaces } from "../../src/attach/held-namespaces.ts";
import { planAttach } from "../../src/attach/plan.ts";
import { Receipts } from "../../src/cdi/receipts.ts";
import type { ClaimDevice } from "../../src/claims/record.ts";
import { ClaimStore } from "../../src/claims/store.ts";
import { parseNetworkConfig } from "../../src/config/network-config.ts";
import { type KernelWorkers, startKernel } from "../../src/kernel/client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { type BenchPlace, LINK, POD_LINK, POD_MTU, POD_ROUTE, POD_V4, POD_V6 } from "./place.ts";
import { Stopwatch } from "./stopwatch.ts";

/** Milliseconds of the main thread's time for one attach or detach. */
export interface Sample {
  /** All but the two below: from the call of the hook to its answer. */
  readonly kernelMs: number;
  readonly storeMs: number;
  readonly receiptMs: number;
}

export const DRIVER = "dra.net";
const SANDBOX = "bench-sandbox";
const POD_UID = "0c1c2c3c-0000-4000-8000-00000000be9c";

export class NetferrySide implements AsyncDisposable {
  readonly #owner: AsyncDisposableStack;
  readonly #ferry: Ferry;
  readonly #place: BenchPlace;
  readonly #storing: Stopwatch<ClaimStore>;
  readonly #receipting: Stopwatch<Receipts>;

  private constructor(owner: AsyncDisposableStack, place: BenchPlace, kernel: KernelWorkers, store: ClaimStore) {
    this.#owner = owner;
    this.#place = place;
    this.#storing = new Stopwatch(store);
    this.#receipting = new Stopwatch(new Receipts(join(place.dir, "cdi"), DRIVER));
    this.#ferry = new Ferry({
      kernel: kernel.hook,
      slowKernel: kernel.scan,
      sysfsRoot: "/sys",
      store: this.#storing.watched,
      held: owner.use(new HeldNamespaces(kernel.hook)),
      receipts: this.#receipting.watched,
      driver: DRIVER,
      clock: systemClock,
      log: silentLogger,
      observer: { attached: () => undefined, cameHome: () => undefined, lost: () => undefined },
    });
  }

  static async start(place: BenchPlace): Promise<NetferrySide> {
    await using owner = new AsyncDisposableStack();
    const createWorker = () => new Worker(new URL("../../src/kernel/worker.ts", import.meta.url));
    const kernel = owner.use(await startKernel({ createWorker, log: silentLogger }));
    const store = owner.use(ClaimStore.open(join(place.dir, "netferry.db"), "bench"));
    store.putDurably([await prepared(kernel)]);
    return new NetferrySide(owner.move(), place, kernel, store);
  }

  attach(): Promise<Sample> {
    const sandbox = { id: SANDBOX, podUid: POD_UID, podName: "bench", podNamespace: "default" };
    return this.#measure(async () => {
      const { failed } = await this.#ferry.attachSandbox({ ...sandbox, netnsPath: this.#place.pod.path }, false);
      if (failed[0] !== undefined) throw failed[0];
    });
  }

  detach(): Promise<Sample> {
    return this.#measure(() => this.#ferry.detachSandbox(SANDBOX));
  }

  async #measure(task: () => Promise<void>): Promise<Sample> {
    this.#storing.reset();
    this.#receipting.reset();
    const startMs = performance.now();
    await task();
    const wholeMs = performance.now() - startMs;
    const [storeMs, receiptMs] = [this.#storing.elapsedMs, this.#receipting.elapsedMs];
    return { kernelMs: wholeMs - storeMs - receiptMs, storeMs, receiptMs };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owner.disposeAsync();
  }
}

/** What Prepare would have stored. */
async function prepared(kernel: KernelWorkers): Promise<ClaimDevice> {
  const links = await kernel.scan.listLinks({ netns: "host" });
  const link = links.find(({ ifname }) => ifname === LINK);
  if (link?.kind === undefined) throw new Error(`There is no link ${LINK} to attach.`);
  const host = await kernel.scan.snapshotLink({ netns: "host", ifindex: link.ifindex });
  const config = parseNetworkConfig(
    { interface: { name: POD_LINK, mtu: POD_MTU, addresses: [POD_V4, POD_V6] }, routes: [POD_ROUTE] },
    "the benchmark's configuration",
  );
  return {
    claimUid: "7c1c2c3c-0000-4000-8000-00000000be9c",
    request: "nic",
    device: LINK,
    shareId: "",
    claimNamespace: "default",
    claimName: "bench",
    pool: "bench",
    podUid: POD_UID,
    podNamespace: "default",
    podName: "bench",
    namedBy: ["main"],
    published: { name: LINK, identity: { ifname: LINK, kind: link.kind }, attributes: {} },
    plan: planAttach(config, host),
    state: "prepared",
  };
}
