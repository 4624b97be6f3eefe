/**
 * What the agent counts. The names, labels and buckets of the first group are DRANET's (kubernetes-sigs/dranet,
 * `pkg/driver/metrics.go`), so that its dashboards and alerts work here; the prefix is `--metrics-prefix`.
 */

import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import Histogram from "prom-client/lib/histogram.js";
import Registry from "prom-client/lib/registry.js";
import { addProcessMetrics } from "./process-metrics.ts";

export type RequestStatus = "success" | "failed" | "noop";
export type DraMethod = "PrepareResourceClaims" | "UnprepareResourceClaims";
export type NriMethod = "RunPodSandbox" | "StopPodSandbox" | "RemovePodSandbox" | "CreateContainer" | "Synchronize";

export const DEFAULT_METRICS_PREFIX = "dranet_driver_";

/** Shares of a hook's budget; above 0.75 the hook answers and the work goes on in the background. */
const BUDGET_SHARES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1];
/** Hooks take what the kernel takes: tens of milliseconds for a move. */
const HOOK_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Metrics {
  readonly #registry = new Registry();
  readonly #draRequests: Counter<"method" | "status">;
  readonly #draLatency: Histogram<"method">;
  readonly #nriRequests: Counter<"method" | "status">;
  readonly #nriLatency: Histogram<"method" | "status">;
  readonly #publishedDevices: Gauge<"feature">;
  readonly #lastPublished: Gauge;
  readonly #lastScan: Gauge;
  readonly #hookDuration: Histogram<"hook">;
  readonly #hookBudget: Histogram<"hook">;
  readonly #reconciliations: Counter<"reason">;
  readonly #receipts: Gauge;
  readonly #devices: Gauge<"state">;
  readonly #heldNamespaces: Gauge;
  readonly #lateAttaches: Counter;
  readonly #refusals: Counter<"reason">;
  readonly #lostLinks: Counter;
  readonly #pendingReleases: Gauge;
  readonly #releaseFailures: Counter;
  readonly #leases: Counter<"event">;

  /** `processRoot` is the directory of this process in procfs. */
  constructor(prefix: string = DEFAULT_METRICS_PREFIX, processRoot = "/proc/self") {
    const named = (name: string, help: string) => ({ name: `${prefix}${name}`, help, registers: [this.#registry] });
    this.#draRequests = new Counter({
      ...named("dra_plugin_requests_total", "Total number of DRA plugin requests."),
      labelNames: ["method", "status"],
    });
    this.#draLatency = new Histogram({
      ...named("dra_plugin_requests_latency_seconds", "DRA plugin request latency in seconds."),
      labelNames: ["method"],
    });
    this.#nriRequests = new Counter({
      ...named("nri_plugin_requests_total", "Total number of NRI plugin requests."),
      labelNames: ["method", "status"],
    });
    this.#nriLatency = new Histogram({
      ...named("nri_plugin_requests_latency_seconds", "NRI plugin request latency in seconds."),
      labelNames: ["method", "status"],
    });
    this.#publishedDevices = new Gauge({
      ...named("published_devices_total", "Total number of published devices."),
      labelNames: ["feature"],
    });
    this.#lastPublished = new Gauge(
      named("last_published_time_seconds", "The timestamp of the last successful resource publication."),
    );
    this.#lastScan = new Gauge(
      named("last_scan_time_seconds", "The timestamp of the last scan of the host that succeeded."),
    );
    this.#hookDuration = new Histogram({
      ...named("hook_duration_seconds", "Time from the arrival of an NRI request to its answer."),
      labelNames: ["hook"],
      buckets: HOOK_SECONDS,
    });
    this.#hookBudget = new Histogram({
      ...named("hook_budget_used_ratio", "Share of the runtime's request timeout that an NRI request used."),
      labelNames: ["hook"],
      buckets: BUDGET_SHARES,
    });
    this.#reconciliations = new Counter({
      ...named("reconciliations_total", "Comparisons of wanted state, store and kernel, by what started them."),
      labelNames: ["reason"],
    });
    this.#receipts = new Gauge(named("receipts", "CDI receipts that stand in the CDI directory."));
    this.#devices = new Gauge({
      ...named("devices", "Devices known to the agent, by state."),
      labelNames: ["state"],
    });
    this.#heldNamespaces = new Gauge(
      named("held_namespaces", "Network namespaces that the agent holds by a descriptor."),
    );
    this.#lateAttaches = new Counter(
      named("late_attaches_total", "Links that entered a pod after its sandbox had started."),
    );
    this.#refusals = new Counter({
      ...named("container_refusals_total", "Containers refused because a claimed device was not there."),
      labelNames: ["reason"],
    });
    this.#lostLinks = new Counter(named("lost_links_total", "Claimed links that could not be brought home."));
    this.#pendingReleases = new Gauge(
      named("profile_releases_pending", "Profiles of claims that are gone, not released yet."),
    );
    this.#releaseFailures = new Counter(
      named("profile_release_failures_total", "Attempts to release a profile that failed."),
    );
    this.#leases = new Counter({
      ...named("dhcp_leases_total", "What became of DHCP leases."),
      labelNames: ["event"],
    });
    addProcessMetrics(this.#registry, processRoot);
  }

  draRequest(method: DraMethod, status: RequestStatus, seconds: number): void {
    this.#draRequests.inc({ method, status });
    this.#draLatency.observe({ method }, seconds);
  }

  nriRequest(method: NriMethod, status: RequestStatus, seconds: number): void {
    this.#nriRequests.inc({ method, status });
    this.#nriLatency.observe({ method, status }, seconds);
  }

  /** An answered hook: how long it took, and of which budget (the runtime's request timeout). */
  hook(hook: NriMethod, seconds: number, budgetSeconds: number): void {
    this.#hookDuration.observe({ hook }, seconds);
    if (budgetSeconds > 0) this.#hookBudget.observe({ hook }, seconds / budgetSeconds);
  }

  /** A successful publication of the node's devices, at `atMs` since 1970. */
  published(devices: { readonly total: number; readonly rdma: number }, atMs: number): void {
    this.#publishedDevices.set({ feature: "total" }, devices.total);
    this.#publishedDevices.set({ feature: "rdma" }, devices.rdma);
    this.#lastPublished.set(atMs / 1000);
  }

  /** When the last scan of the host that succeeded ended, since 1970. */
  setLastScan(atMs: number): void {
    this.#lastScan.set(atMs / 1000);
  }

  reconciled(reason: string): void {
    this.#reconciliations.inc({ reason });
  }

  setReceipts(count: number): void {
    this.#receipts.set(count);
  }

  /** Replaces the counts of all states; a state that is left out disappears. */
  setDevices(byState: Readonly<Record<string, number>>): void {
    this.#devices.reset();
    for (const [state, count] of Object.entries(byState)) this.#devices.set({ state }, count);
  }

  setHeldNamespaces(count: number): void {
    this.#heldNamespaces.set(count);
  }

  attachedLate(): void {
    this.#lateAttaches.inc();
  }

  /** `reason` is one of few constant words; names of pods and claims belong into the log. */
  containerRefused(reason: string): void {
    this.#refusals.inc({ reason });
  }

  /** One more link could not be brought home. */
  lostLink(): void {
    this.#lostLinks.inc();
  }

  setPendingReleases(count: number): void {
    this.#pendingReleases.set(count);
  }

  profileReleaseFailed(): void {
    this.#releaseFailures.inc();
  }

  /** `event` is one of few constant words. */
  lease(event: string): void {
    this.#leases.inc({ event });
  }

  /** The text exposition format of Prometheus, version 0.0.4. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
