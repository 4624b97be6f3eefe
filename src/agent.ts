/** The composition root: builds every part and runs them until told to stop. What is built last is closed first. */

import { join } from "node:path";
import { keepMemorySmall } from "./agent/idle-memory.ts";
import type { Mode, ModeParts } from "./agent/mode.ts";
import { ProviderSeat } from "./agent/providers.ts";
import { readiness } from "./agent/readiness.ts";
import { vfCreation } from "./agent/vf-creation.ts";
import { Ferry } from "./attach/ferry.ts";
import { HeldNamespaces } from "./attach/held-namespaces.ts";
import { LeaseKeeper } from "./attach/lease-keeper.ts";
import { Leases } from "./attach/leases.ts";
import { NetnsFiles } from "./attach/netns-files.ts";
import { Observers } from "./attach/observers.ts";
import { Reconciler } from "./attach/reconciler.ts";
import { SlaacWatcher } from "./attach/slaac-watcher.ts";
import { MetadataFiles } from "./cdi/metadata-files.ts";
import { Receipts } from "./cdi/receipts.ts";
import { ClaimStore } from "./claims/store.ts";
import { storePlace } from "./claims/store-place.ts";
import { compileFilter } from "./config/filter.ts";
import { FLAGS } from "./config/flag-table.ts";
import type { Config } from "./config/flags.ts";
import { compileShareable } from "./config/shareable.ts";
import { createHttpApp } from "./http/app.ts";
import { serveHttp } from "./http/serve.ts";
import type { Device } from "./inventory/device.ts";
import { Inventory } from "./inventory/inventory.ts";
import { inventoryOptions } from "./inventory/options.ts";
import { type KernelWorkers, type StartKernelOptions, startKernel } from "./kernel/client.ts";
import { bootId } from "./lib/boot-id.ts";
import { systemClock } from "./lib/clock.ts";
import { faultPoint } from "./lib/fault.ts";
import type { Logger } from "./lib/log.ts";
import { Metrics } from "./lib/metrics.ts";
import { superviseAll } from "./lib/supervise.ts";
import { netDevicesProblem } from "./nri/net-devices.ts";
import type { HookRecord } from "./nri/plugin.ts";
import { SandboxGate } from "./nri/sandbox-gate.ts";
import { NriSession } from "./nri/session.ts";
import { launchedAddress } from "./nri/socket.ts";

export interface AgentSurroundings {
  readonly createWorker: StartKernelOptions["createWorker"];
  readonly version: string;
  readonly log: Logger;
}

/** Runs until `stop` aborts (clean) or a part fails (throws its error, after everything is closed). */
export async function runAgent(
  config: Config,
  { createWorker, version, log }: AgentSurroundings,
  stop: AbortSignal,
): Promise<void> {
  const clock = systemClock;
  const metrics = new Metrics(config.metricsPrefix);
  const filter = await compileFilter(config.filter);
  const isShareable = await compileShareable(config.shareable);
  await using parts = new AsyncDisposableStack();

  // Who has the cluster's credentials from the place where a pod has them is in one.
  const containerRoot = config.kubeconfig === "" && !config.standalone ? "/" : undefined;
  const place = storePlace({ asked: config.dbPath, fallback: FLAGS.dbPath.fallback, containerRoot });
  const kernel = parts.use(
    await startKernel({ createWorker, procRoot: config.procRoot, log: log.child({ part: "kernel" }) }),
  );
  const store = parts.use(ClaimStore.open(place.path, bootId(config.procRoot)));
  const files = new NetnsFiles(config.netnsDir);
  const held = parts.use(new HeldNamespaces(kernel.hook, files));
  const metadata = new MetadataFiles(metadataDirectory(config));
  const receipts = new Receipts(config.cdiDir, config.driverName, containerRoot, metadata);
  const routeTo = new Set<string>();
  const heldDevices = (): readonly Device[] => store.records.map((record) => record.published);
  const providers = new ProviderSeat({
    config,
    store,
    metrics,
    clock,
    log: log.child({ part: "providers" }),
    onChange: () => inventory.requestScan(),
  });
  const inventory: Inventory = new Inventory({
    scan: (signal) =>
      kernel.scan.scan({ sysfsRoot: config.sysfsRoot, procRoot: config.procRoot, routeTo: [...routeTo] }, signal),
    options: inventoryOptions(config, process.env["PCIDB_PATH"]),
    enrich: (devices, facts) => providers.enrich(devices, facts),
    filter: (device) => filter(device.attributes).keep,
    sharing: { isShareable, maxShares: config.maxShares },
    held: heldDevices,
    travelling: () => store.records.flatMap(({ attachment }) => attachment?.temporaryName ?? []),
    minPollIntervalMs: config.inventoryMinPollIntervalMs,
    maxPollIntervalMs: config.inventoryMaxPollIntervalMs,
    pollBurst: config.inventoryPollBurst,
    clock,
    log: log.child({ part: "inventory" }),
  });
  kernel.onLinkChange(() => inventory.requestScan());

  const observers = new Observers(log.child({ part: "attach" }));
  observers.add({
    attached: (record) => {
      if (record.attachment?.late === true) metrics.attachedLate();
    },
    cameHome: () => inventory.requestScan(),
    lost: () => metrics.lostLink(),
  });
  const ferry = parts.use(
    new Ferry({
      kernel: kernel.hook,
      slowKernel: kernel.scan,
      sysfsRoot: config.sysfsRoot,
      store,
      held,
      receipts,
      driver: config.driverName,
      clock,
      log: log.child({ part: "attach" }),
      observer: observers,
      slaacReadyTimeoutMs: config.slaacReadyTimeoutMs,
    }),
  );
  const leases = new Leases({
    kernel: kernel.scan,
    clock,
    log: log.child({ part: "dhcp" }),
    timeoutMs: config.dhcpTimeoutMs,
    raised: store.raisedLinks,
    onEvent: (event) => metrics.lease(event),
  });
  await leases.recover();
  const keeper = new LeaseKeeper({
    kernel: kernel.scan,
    ferry,
    store,
    held,
    clock,
    log: log.child({ part: "dhcp" }),
    observer: observers,
    onEvent: (event) => metrics.lease(event),
  });
  observers.add(keeper);
  const slaac = new SlaacWatcher({
    kernel: kernel.scan,
    ferry,
    store,
    held,
    log: log.child({ part: "slaac" }),
    observer: observers,
  });
  observers.add(slaac);
  // What the receipt tells of the device has changed with its addresses.
  observers.add({ addressesChanged: ({ claimUid }) => ferry.writeReceipt(claimUid) });
  const reconciler = parts.use(
    new Reconciler({
      ferry,
      store,
      receipts,
      files,
      clock,
      log: log.child({ part: "reconcile" }),
      onRun: (reason) => metrics.reconciled(reason),
    }),
  );

  const vfs = await vfCreation(
    { kernel: kernel.scan, sysfsRoot: config.sysfsRoot, store, clock, log: log.child({ part: "sriov" }) },
    config.nodeConfig,
  );

  let session: NriSession | undefined;
  const runtimeMover =
    config.attach === "oci" ? { problem: () => netDevicesProblem(session?.state.runtime) } : undefined;
  const modeParts: ModeParts = {
    config,
    inventory,
    store,
    ferry,
    leases,
    observers,
    kernel: kernel.scan,
    providers,
    sysfsRoot: config.sysfsRoot,
    metrics,
    clock,
    log,
    routeTo,
    receiptsUnseen: receipts.unseen !== undefined,
    runtimeMover,
    runtimeProblem: () =>
      session?.state.synchronised === true
        ? undefined
        : `netferry is not registered with the container runtime (NRI socket ${config.nriSocket}): a sandbox that starts now would not get its devices`,
  };
  const mode = await startMode(modeParts);
  const gate = new SandboxGate({
    ferry,
    reconciler,
    store,
    driver: config.driverName,
    receiptsUnseen: receipts.unseen !== undefined,
    observer: observers,
    kernel: kernel.hook,
    log: log.child({ part: "gate" }),
    onRefusal: (reason) => metrics.containerRefused(reason),
    ...mode.gate,
  });
  // The kubelet's side goes first when we stop: no sandbox is prepared then that would find no hook.
  session = parts.use(
    new NriSession({
      address: launchedAddress(process.env) ?? { path: config.nriSocket },
      pluginName: config.driverName,
      handlers: gate,
      log: log.child({ part: "nri" }),
      onHook: (record) => countHook(metrics, record),
    }),
  );
  parts.use(mode);

  const conditions = () =>
    readiness({
      nri: session.state,
      nriSocket: config.nriSocket,
      ...(runtimeMover === undefined ? {} : { runtimeMover: { problem: runtimeMover.problem() } }),
      cdiDirectory: receipts.problem(),
      cdiDir: config.cdiDir,
      cdiIgnored: gate.cdiProblem,
      store: place,
      lastScanMs: inventory.lastScanMs,
      maxScanAgeMs: 2 * config.inventoryMaxPollIntervalMs + config.inventoryMinPollIntervalMs,
      nowMs: clock.nowMs(),
      mode: [...mode.conditions(), ...(vfs === undefined ? [] : [vfs.condition()])],
    });
  const devicesByState = () => countStates(store, inventory.devices.length);
  const http = parts.use(
    serveHttp(
      createHttpApp({
        version,
        node: config.nodeName,
        checkAlive: (signal) => {
          faultPoint("health.check");
          return kernel.checkAlive(signal);
        },
        conditions,
        devicesByState,
        metrics: {
          contentType: metrics.contentType,
          render: () => {
            metrics.setReceipts(receipts.claims().length);
            metrics.setHeldNamespaces(held.count);
            metrics.setPendingReleases(store.profiles.released.length);
            metrics.setDevices(devicesByState());
            metrics.setLastScan(inventory.lastScanMs ?? 0);
            return metrics.render();
          },
        },
      }),
      config.bindAddress,
    ),
  );
  log.info("agent started", { version, node: config.nodeName, url: http.url, driver: config.driverName });

  await superviseAll(stop, {
    inventory: (signal) => inventory.run(signal),
    reconciler: (signal) => reconciler.run(signal),
    leases: (signal) => keeper.run(signal),
    slaac: (signal) => slaac.run(signal),
    kernel: (signal) => untilDead(kernel, signal),
    ...(vfs === undefined ? {} : { sriov: (signal: AbortSignal) => vfs.run(signal) }),
    memory: (signal) => keepMemorySmall({ kernel, clock, log: log.child({ part: "memory" }) }, signal),
    providers: (signal) => providers.run(signal),
    ...mode.tasks,
  });
  log.info("agent stops");
}

/** The runtime mounts these files, so their path must be the host's: the kubelet's directory has to be mounted so anyway. */
function metadataDirectory({ standalone, cdiDir, kubeletRootDir, driverName }: Config): string {
  if (standalone) return join(cdiDir, "netferry-metadata"); // no CDI library looks into folders
  return join(kubeletRootDir, "plugins", driverName, "dra-device-metadata");
}

/** Each mode is loaded only where it runs: the other one would cost milliseconds and megabytes. */
async function startMode(parts: ModeParts): Promise<Mode> {
  if (!parts.config.standalone) return (await import("./agent/cluster.ts")).clusterMode(parts);
  return (await import("./agent/standalone.ts")).standaloneMode(parts);
}

/** Rejects when a Worker dies; resolves when `signal` aborts. */
function untilDead({ died }: KernelWorkers, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  return Promise.race([died, stopped]);
}

function countStates(store: ClaimStore, total: number): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { prepared: 0, attaching: 0, attached: 0, detaching: 0 };
  for (const { state } of store.records) counts[state] = (counts[state] ?? 0) + 1;
  return { free: Math.max(0, total - store.records.length), ...counts };
}

function countHook(metrics: Metrics, { hook, outcome, concerned, durationMs, budgetMs }: HookRecord): void {
  const status = outcome !== "done" ? "failed" : concerned ? "success" : "noop";
  metrics.nriRequest(hook, status, durationMs / 1000);
  metrics.hook(hook, durationMs / 1000, budgetMs / 1000);
}
