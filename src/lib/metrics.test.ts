import { expect, test } from "bun:test";
import { Metrics } from "./metrics.ts";

/** The value of one series in the exposition text. */
async function series(metrics: Metrics, name: string): Promise<number | undefined> {
  const line = (await metrics.render()).split("\n").find((at) => at.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

test("Metrics counts a DRA request under DRANET's names when one is answered", async () => {
  const metrics = new Metrics();
  metrics.draRequest("PrepareResourceClaims", "success", 0.02);
  metrics.draRequest("PrepareResourceClaims", "success", 3);
  metrics.draRequest("PrepareResourceClaims", "failed", 0.001);
  const total = "dranet_driver_dra_plugin_requests_total";
  expect(await series(metrics, `${total}{method="PrepareResourceClaims",status="success"}`)).toBe(2);
  expect(await series(metrics, `${total}{method="PrepareResourceClaims",status="failed"}`)).toBe(1);
  const latency = "dranet_driver_dra_plugin_requests_latency_seconds";
  expect(await series(metrics, `${latency}_bucket{le="0.025",method="PrepareResourceClaims"}`)).toBe(2);
  expect(await series(metrics, `${latency}_count{method="PrepareResourceClaims"}`)).toBe(3);
});

test("Metrics labels NRI latency with the status when a hook is answered", async () => {
  const metrics = new Metrics();
  metrics.nriRequest("RunPodSandbox", "noop", 0.001);
  const count = 'nri_plugin_requests_latency_seconds_count{method="RunPodSandbox",status="noop"}';
  expect(await series(metrics, `dranet_driver_${count}`)).toBe(1);
  expect(await series(metrics, 'dranet_driver_nri_plugin_requests_total{method="RunPodSandbox",status="noop"}')).toBe(
    1,
  );
});

test("Metrics records the share of the budget when the budget is known", async () => {
  const metrics = new Metrics("netferry_");
  metrics.hook("RunPodSandbox", 0.5, 2);
  metrics.hook("RunPodSandbox", 0.5, 0);
  expect(await series(metrics, 'netferry_hook_budget_used_ratio_sum{hook="RunPodSandbox"}')).toBe(0.25);
  expect(await series(metrics, 'netferry_hook_duration_seconds_count{hook="RunPodSandbox"}')).toBe(2);
});

test("Metrics forgets a state when setDevices() leaves it out", async () => {
  const metrics = new Metrics();
  metrics.setDevices({ attached: 2, prepared: 1 });
  metrics.setDevices({ attached: 1 });
  expect(await series(metrics, 'dranet_driver_devices{state="attached"}')).toBe(1);
  expect(await series(metrics, 'dranet_driver_devices{state="prepared"}')).toBeUndefined();
});

test("Metrics publishes the time in seconds when devices were published", async () => {
  const metrics = new Metrics();
  metrics.published({ total: 3, rdma: 1 }, 1_700_000_000_500);
  expect(await series(metrics, 'dranet_driver_published_devices_total{feature="rdma"}')).toBe(1);
  expect(await series(metrics, 'dranet_driver_published_devices_total{feature="total"}')).toBe(3);
  expect(await series(metrics, "dranet_driver_last_published_time_seconds")).toBe(1_700_000_000.5);
});

test("Metrics keeps every promised name when nothing has happened yet", async () => {
  const text = await new Metrics().render();
  const own = ["hook_duration_seconds", "hook_budget_used_ratio", "reconciliations_total", "receipts", "devices"];
  const more = ["held_namespaces", "late_attaches_total", "container_refusals_total", "lost_links_total"];
  for (const name of [...own, ...more]) expect(text).toContain(`# HELP dranet_driver_${name} `);
});

test("Metrics counts each event by its reason", async () => {
  const metrics = new Metrics();
  metrics.reconciled("start");
  metrics.containerRefused("no-receipt");
  metrics.containerRefused("no-receipt");
  metrics.attachedLate();
  metrics.lostLink();
  metrics.setReceipts(5);
  metrics.setHeldNamespaces(6);
  expect(await series(metrics, 'dranet_driver_reconciliations_total{reason="start"}')).toBe(1);
  expect(await series(metrics, 'dranet_driver_container_refusals_total{reason="no-receipt"}')).toBe(2);
  expect(await series(metrics, "dranet_driver_late_attaches_total")).toBe(1);
  expect(await series(metrics, "dranet_driver_lost_links_total")).toBe(1);
  expect(await series(metrics, "dranet_driver_receipts")).toBe(5);
  expect(await series(metrics, "dranet_driver_held_namespaces")).toBe(6);
});

test("Metrics reads the process's own figures from procfs when scraped", async () => {
  const metrics = new Metrics();
  expect(await series(metrics, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(await series(metrics, "process_open_fds")).toBeGreaterThan(2);
  expect(Math.abs(((await series(metrics, "process_start_time_seconds")) ?? 0) - Date.now() / 1000)).toBeLessThan(600);
});
