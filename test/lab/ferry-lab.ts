/** Prepare, attach and detach as an agent does them, on this machine's own links, without runtime and API server. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ferry } from "../../src/attach/ferry.ts";
import { HeldNamespaces } from "../../src/attach/held-namespaces.ts";
import type { AttachObserver } from "../../src/attach/parts.ts";
import { prepareClaim } from "../../src/attach/prepare.ts";
import { Receipts } from "../../src/cdi/receipts.ts";
import type { ClaimDevice } from "../../src/claims/record.ts";
import { ClaimStore } from "../../src/claims/store.ts";
import { configFor } from "../../src/config/merge.ts";
import { devicesOf } from "../../src/inventory/devices-of.ts";
import { builtInPciIds } from "../../src/inventory/pci-ids.ts";
import type { Kernel } from "../../src/kernel/calls.ts";
import { type KernelWorkers, startKernel } from "../../src/kernel/client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { describeError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import { type Death, Life } from "./mortal.ts";
import type { TestNetns } from "./netns.ts";

const DRIVER = "dra.net";
const POD = { uid: "pod", name: "pod", namespace: "default", hostNetwork: false };
const CLAIM = { uid: "claim", name: "claim", namespace: "default" };

export interface LabAgentOptions {
  readonly death?: Death;
  readonly offerVfio?: boolean;
}

export class FerryLab implements AsyncDisposable {
  readonly dir: string;
  readonly #kernel: KernelWorkers;

  private constructor(kernel: KernelWorkers, dir: string) {
    this.#kernel = kernel;
    this.dir = dir;
  }

  static async start(): Promise<FerryLab> {
    const createWorker = () => new Worker(new URL("../../src/kernel/worker.ts", import.meta.url));
    const log = createLogger({ level: "warn", write: (line) => process.stderr.write(line) });
    const dir = mkdtempSync(join(tmpdir(), "netferry-ferry-"));
    return new FerryLab(await startKernel({ createWorker, log }), dir);
  }

  get scanKernel(): Kernel {
    return this.#kernel.scan;
  }

  /** One at a time: it finds what the one before it has left. */
  agent(options: LabAgentOptions = {}): LabAgent {
    return new LabAgent(this.#kernel, this.dir, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kernel[Symbol.asyncDispose]();
    rmSync(this.dir, { recursive: true });
  }
}

export class LabAgent implements AsyncDisposable {
  readonly life: Life;
  /** What the observer heard of devices that did not come back whole. */
  readonly problems: string[] = [];
  readonly #kernel: KernelWorkers;
  readonly #options: LabAgentOptions;
  readonly #store: ClaimStore;
  readonly #held: HeldNamespaces;
  readonly #ferry: Ferry;

  constructor(kernel: KernelWorkers, dir: string, options: LabAgentOptions) {
    this.life = new Life(options.death);
    this.#kernel = kernel;
    this.#options = options;
    this.#store = ClaimStore.open(join(dir, "netferry.db"), "boot");
    this.#held = new HeldNamespaces(this.life.kernel(kernel.hook));
    const observer: AttachObserver = {
      cameHome: (_, problems) => void this.problems.push(...problems),
      lost: (_, reason) => void this.problems.push(reason),
    };
    this.#ferry = new Ferry({
      kernel: this.life.kernel(kernel.hook),
      slowKernel: this.life.kernel(kernel.scan),
      sysfsRoot: "/sys",
      store: this.life.own(this.#store),
      held: this.life.own(this.#held),
      receipts: this.life.own(new Receipts(join(dir, "cdi"), DRIVER)),
      driver: DRIVER,
      clock: systemClock,
      log: createLogger({ level: "error", write: () => undefined }),
      observer,
    });
  }

  /** By the class's configuration. Rejects with the claim's error as one sentence. */
  async prepare(device: string, config: object): Promise<ClaimDevice> {
    const { scan } = this.#kernel;
    const options = { domain: DRIVER, moveIbInterfaces: true, pciNames: builtInPciIds };
    const facts = await scan.scan({ sysfsRoot: "/sys", procRoot: "/proc", routeTo: [] });
    const devices = devicesOf(facts, { ...options, offerVfio: this.#options.offerVfio === true });
    const merged = configFor([{ source: "FromClass", requests: [], parameters: config }], "nic");
    try {
      const [record] = await prepareClaim(
        {
          ferry: this.#ferry,
          store: this.#store,
          kernel: scan,
          sysfsRoot: "/sys",
          leases: { take: () => Promise.reject(new Error("there is no DHCP here")), release: () => Promise.resolve() },
          findDevice: async (name) => devices.find((one) => one.name === name),
        },
        { ...CLAIM, devices: [{ request: "nic", pool: "node", device, config: merged }] },
        POD,
        AbortSignal.timeout(60_000),
      );
      if (record === undefined) throw new Error("nothing was prepared");
      return record;
    } catch (error) {
      throw new Error(describeError(error));
    }
  }

  /** Rejects with the first failure as one sentence. */
  async attach(netns: Pick<TestNetns, "path">): Promise<ClaimDevice> {
    const sandbox = { id: "sandbox", podUid: POD.uid, podName: POD.name, podNamespace: POD.namespace };
    const { attached, failed } = await this.#ferry.attachSandbox({ ...sandbox, netnsPath: netns.path }, false);
    const [error] = failed;
    if (error !== undefined) throw new Error(describeError(error));
    const [record] = attached;
    if (record === undefined) throw new Error("nothing was attached");
    return record;
  }

  /** As when the pod stops. Rejects when the device is not home. */
  detach(): Promise<void> {
    return this.#ferry.detachSandbox("sandbox");
  }

  /** Home, and forgotten. */
  async unprepare(): Promise<void> {
    await this.#ferry.endClaim(CLAIM.uid, async () => this.#store.removeClaim(CLAIM.uid));
  }

  /** What the kernel takes from a process that ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.life.dead) await this.#ferry[Symbol.asyncDispose]();
    this.#held[Symbol.dispose]();
    this.#store[Symbol.dispose]();
  }
}
