/**
 * Pods come and go, sandboxes are replaced, events get lost, the kernel is busy now and then, and reconciliation runs in
 * between, in any order: no container is ever without its devices, and in the end everything is where it was.
 */

import { expect, test } from "bun:test";
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { basename, join } from "node:path";
import fc from "fast-check";
import { SysError } from "../../ffi/sys-error.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { PATIENCE } from "../../test/fakes/patience.ts";
import { bareFerry, NODE } from "../../test/lab/bare-ferry.ts";
import type { Kernel, NetnsRef } from "../kernel/calls.ts";
import { silentLogger } from "../lib/log.ts";
import type { Sandbox } from "../nri/handlers.ts";
import { SandboxGate } from "../nri/sandbox-gate.ts";
import { NetnsFiles } from "./netns-files.ts";
import { endClaim, prepareClaim } from "./prepare.ts";
import { Reconciler } from "./reconciler.ts";

const HOST = "host";
const SIGNAL = new AbortController().signal;

/** RDMA devices, which move between namespaces, and namespaces that die with their file and the last descriptor. */
class FakeHost implements Disposable {
  readonly netnsDir = mkdtempSync(join(tmpdir(), "netferry-netns-"));
  readonly placeOf = new Map<string, string>();
  readonly kernel: Partial<Kernel>;
  /** Runs after each move. */
  onMove: () => void = () => undefined;
  readonly #turn: () => Promise<void>;
  readonly #descriptors = new Map<number, { readonly path: string; readonly inode: number }>();

  /** `turn` resolves when the call may go on, or rejects: then it fails. */
  constructor(devices: readonly string[], turn: () => Promise<void>) {
    for (const device of devices) this.placeOf.set(device, HOST);
    this.#turn = turn;
    this.kernel = {
      holdNetns: ({ path }) => this.#call(() => this.#hold(path)),
      readRdma: ({ netns }) => this.#call(() => ({ netnsMode: "exclusive" as const, devices: this.#devicesIn(netns) })),
      rdmaNodes: () => this.#call(() => ({ nodes: [NODE], missing: [] })),
      canMoveRdma: () => this.#call(() => true),
      moveRdma: ({ from, name, to }) => this.#call(() => this.#move(from, name, to)),
    };
  }

  path(id: string): string {
    return join(this.netnsDir, id);
  }

  makeNetns(id: string): void {
    writeFileSync(this.path(id), "");
  }

  removeNetns(id: string): void {
    rmSync(this.path(id));
    this.sweep();
  }

  /** What the kernel does with devices of a namespace that nobody holds. */
  sweep(): void {
    for (const [fd, { inode }] of this.#descriptors) if (!isOpen(fd, inode)) this.#descriptors.delete(fd);
    const held = new Set([...this.#descriptors.values()].map(({ path }) => path));
    const files = new Set(readdirSync(this.netnsDir).map((id) => this.path(id)));
    for (const [device, path] of this.placeOf)
      if (path !== HOST && !held.has(path) && !files.has(path)) this.placeOf.set(device, HOST);
  }

  [Symbol.dispose](): void {
    for (const [fd, { inode }] of this.#descriptors) if (isOpen(fd, inode)) closeSync(fd);
    rmSync(this.netnsDir, { recursive: true });
  }

  async #call<T>(serve: () => T): Promise<T> {
    await this.#turn();
    this.sweep();
    return serve();
  }

  #hold(path: string): { fd: number; inode: number } {
    const fd = openFile(path);
    const inode = fstatSync(fd).ino;
    this.#descriptors.set(fd, { path, inode });
    return { fd, inode };
  }

  #nameOf(netns: NetnsRef): string {
    if (netns === "host") return HOST;
    const known = this.#descriptors.get(netns.fd);
    if (known === undefined) throw new SysError("setns", constants.errno.EBADF, `descriptor ${netns.fd}`);
    return known.path;
  }

  #devicesIn(netns: NetnsRef) {
    const place = this.#nameOf(netns);
    const names = [...this.placeOf].filter(([, at]) => at === place).map(([name]) => name);
    return names.map((name, index) => ({ index, name, ports: [] }));
  }

  #move(from: NetnsRef, name: string, to: NetnsRef): void {
    if (this.placeOf.get(name) !== this.#nameOf(from))
      throw new SysError("RDMA_NLDEV_CMD_SET", constants.errno.ENODEV, name);
    this.placeOf.set(name, this.#nameOf(to));
    this.onMove();
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, "r");
  } catch {
    throw new SysError("open", constants.errno.ENOENT, path);
  }
}

function isOpen(fd: number, inode: number): boolean {
  try {
    return fstatSync(fd).ino === inode;
  } catch {
    return false;
  }
}

interface PodPlan {
  readonly name: string;
  /** By claim. */
  readonly devices: Readonly<Record<string, string>>;
  /** Of each sandbox: whether the runtime tells of its end. */
  readonly sandboxes: readonly { readonly isEndTold: boolean }[];
}

/** The kubelet's and the runtime's part, and what must hold meanwhile. */
async function play(
  pods: readonly PodPlan[],
  noise: number,
  turn: (isKernel: boolean) => Promise<void>,
): Promise<void> {
  using host = new FakeHost(
    pods.flatMap(({ devices }) => Object.values(devices)),
    () => turn(true),
  );
  using place = bareFerry({}, host.kernel);
  const { ferry, store, receipts, held, directory } = place;
  const clock = new ManualClock();
  using reconciler = new Reconciler({
    ...place,
    files: new NetnsFiles(host.netnsDir),
    clock,
    log: silentLogger,
    onRun: () => undefined,
  });
  const gate = new SandboxGate({
    ...place,
    reconciler,
    driver: "dra.net",
    observer: {},
    kernel: { listLinks: async () => [] },
    log: silentLogger,
    onRefusal: () => undefined,
  });
  const live = new Map<string, Sandbox>();
  const running = new Map<string, readonly string[]>();
  const problems: string[] = [];
  const look = () => {
    for (const [id, devices] of running)
      for (const device of devices)
        if (host.placeOf.get(device) !== host.path(id))
          problems.push(`${device} is at ${host.placeOf.get(device)} while a container of ${id} runs`);
  };
  host.onMove = look;

  const envOf = (claimUid: string): string[] => {
    const file = readdirSync(directory).find((name) => name.includes(claimUid));
    if (file === undefined) return [];
    return JSON.parse(readFileSync(join(directory, file), "utf8")).devices[0].containerEdits.env;
  };
  const leases = { take: () => Promise.reject(new Error("there is no DHCP here")), release: () => turn(false) };
  const findDevice = async (name: string) => ({ name, identity: { rdmaName: name }, attributes: {} });
  const untilDone = async (what: string, task: () => Promise<unknown>) => {
    for (let tries = 0; ; tries++) {
      try {
        return await task();
      } catch (error) {
        if (tries > 200) throw new Error(`${what} never succeeds`, { cause: error });
        await turn(false);
      }
    }
  };

  async function podLife({ name, devices, sandboxes }: PodPlan): Promise<void> {
    const pod = { uid: name, name, namespace: "ns", hostNetwork: false, namedBy: ["main"] };
    const prepare = (claim: string, device: string) =>
      prepareClaim(
        { ...place, kernel: host.kernel as Kernel, sysfsRoot: "/sys", leases, findDevice },
        { uid: claim, namespace: "ns", name: claim, devices: [{ request: "nic", pool: "node", device, config: {} }] },
        pod,
        SIGNAL,
      );
    for (const [claim, device] of Object.entries(devices)) await untilDone("Prepare", () => prepare(claim, device));
    for (const [index, { isEndTold }] of sandboxes.entries()) {
      const id = `${name}-${index}`;
      host.makeNetns(id);
      const sandbox: Sandbox = {
        ...{ id, podUid: name, podName: name, podNamespace: "ns", annotations: {}, runtimeHandler: "" },
        netnsPath: host.path(id),
      };
      live.set(id, sandbox);
      const hook = gate.sandboxStarted(sandbox, SIGNAL); // may be answered late
      await turn(false);
      await untilDone("the container's start", async () => {
        const container = {
          ...{ id: `c-${id}`, name: "main", sandboxId: id, cdiDevices: [], annotations: {}, cpus: "", mems: "" },
          env: Object.keys(devices).flatMap(envOf),
        };
        await gate.containerCreating(sandbox, container, SIGNAL);
      });
      running.set(id, Object.values(devices));
      look();
      for (let at = 0; at < 3; at++) await turn(false);
      running.delete(id);
      await hook;
      live.delete(id);
      if (isEndTold) await gate.sandboxStopped(sandbox, SIGNAL);
      else gate.disconnected();
      host.removeNetns(id);
      if (!isEndTold) await gate.synchronize([...live.values()], [], { name: "containerd", version: "2.1.0" });
    }
    const parts = { ferry, store, leases };
    for (const claim of Object.keys(devices)) await untilDone("Unprepare", () => endClaim(parts, claim));
  }

  const stop = new AbortController();
  const reconciling = reconciler.run(stop.signal);
  await gate.synchronize([], [], { name: "containerd", version: "2.1.0" });
  const lives = Promise.all(pods.map(podLife));
  const noisy = (async () => {
    for (let at = 0; at < noise; at++) {
      await turn(false);
      reconciler.request("noise");
    }
  })();
  await Promise.all([lives, noisy]);
  stop.abort();
  await reconciling;
  await ferry[Symbol.asyncDispose]();
  host.sweep();
  expect(problems).toEqual([]);
  expect(store.records).toEqual([]);
  expect(receipts.claims()).toEqual([]);
  expect(held.count).toBe(0);
  expect([...new Set(host.placeOf.values())]).toEqual([HOST]);
  expect(readdirSync(host.netnsDir).map((path) => basename(path))).toEqual([]);
}

const sandboxes = fc.array(fc.record({ isEndTold: fc.boolean() }), { minLength: 1, maxLength: 5 });
const plans = fc.tuple(sandboxes, sandboxes).map(([first, second]): PodPlan[] => [
  { name: "web", devices: { "web-a": "mlx5_0", "web-b": "mlx5_1" }, sandboxes: first },
  { name: "db", devices: { "db-a": "mlx5_2" }, sandboxes: second },
]);

test(
  "in any order of events no container is without its devices, and all of them come home",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        plans,
        fc.nat(40),
        fc.infiniteStream(fc.nat(11)),
        async (s, pods, noise, dice) => {
          const turn = async (isKernel: boolean) => {
            await s.schedule(Promise.resolve());
            if (isKernel && dice.next().value === 0) throw new Error("the kernel is busy");
          };
          await s.waitFor(play(pods, noise, turn));
        },
      ),
      { numRuns: 30 },
    );
  },
  120_000 * PATIENCE,
);
