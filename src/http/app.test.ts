import { expect, test } from "bun:test";
import { createHttpApp, type HttpParts } from "./app.ts";
import type { Condition } from "./condition.ts";

const registered: Condition = { name: "nri", ready: true, message: "Registered with the container runtime." };
const unwritable: Condition = {
  name: "cdi-directory",
  ready: false,
  message: "/var/run/cdi cannot be written (EROFS); mount it into the agent's pod.",
};

function appWith(parts: Partial<HttpParts>) {
  return createHttpApp({
    version: "1.2.3",
    node: "worker-1",
    checkAlive: () => Promise.resolve(),
    conditions: () => [registered],
    devicesByState: () => ({ attached: 2 }),
    metrics: { render: () => Promise.resolve("up 1\n"), contentType: "text/plain; version=0.0.4" },
    ...parts,
  });
}

test("GET /healthz answers 200 when everything answers", async () => {
  const response = await appWith({}).request("/healthz");
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("ok\n");
});

test("GET /healthz answers 503 with the sentence when a part does not answer", async () => {
  const broken = () => Promise.reject(new Error("The hook Worker ended."));
  const response = await appWith({ checkAlive: broken }).request("/healthz");
  expect(response.status).toBe(503);
  expect(await response.text()).toBe("not alive: The hook Worker ended.\n");
});

test("GET /healthz answers 503 in time when the check never ends", async () => {
  let aborted = false;
  const hangs = (signal: AbortSignal) =>
    new Promise<void>(() => signal.addEventListener("abort", () => (aborted = true)));
  const response = await appWith({ checkAlive: hangs, aliveTimeoutMs: 20 }).request("/healthz");
  expect(response.status).toBe(503);
  expect(await response.text()).toContain("no answer within 20 ms");
  expect(aborted).toBeTrue();
});

test("GET /readyz answers 503 and says what is missing when a condition does not hold", async () => {
  const response = await appWith({ conditions: () => [registered, unwritable] }).request("/readyz");
  expect(response.status).toBe(503);
  const lines = (await response.text()).split("\n");
  expect(lines).toContain(`[+] nri: ${registered.message}`);
  expect(lines).toContain(`[-] cdi-directory: ${unwritable.message}`);
  expect(lines).toContain("not ready");
});

test("GET /readyz answers JSON when the client accepts it", async () => {
  const response = await appWith({}).request("/readyz", { headers: { accept: "application/json" } });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ ready: true, conditions: [registered] });
});

test("GET /readyz is not ready when nobody has stated a condition yet", async () => {
  expect((await appWith({ conditions: () => [] }).request("/readyz")).status).toBe(503);
});

test("GET /metrics answers the registry's text and type", async () => {
  const response = await appWith({}).request("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4");
  expect(await response.text()).toBe("up 1\n");
});

test("GET / shows version, node, readiness and devices, escaped", async () => {
  const condition = { name: "cdi", ready: false, message: "<b>CDI</b> is off." };
  const response = await appWith({ node: "a&b", conditions: () => [condition] }).request("/");
  const page = await response.text();
  expect(response.headers.get("content-type")).toContain("text/html");
  for (const part of ["1.2.3", "a&amp;b", "not ready (1 missing)", "&lt;b&gt;CDI", "<th>attached</th><td>2</td>"]) {
    expect(page).toContain(part);
  }
  expect(page).not.toContain("<b>CDI");
});

test("an unknown path answers 404 and names the pages that exist", async () => {
  const response = await appWith({}).request("/nope");
  expect(response.status).toBe(404);
  expect(await response.text()).toContain("/readyz");
});

test("a failing metric answers 500 with its sentence and the app lives on", async () => {
  const failing = { render: () => Promise.reject(new Error("registry is broken")), contentType: "text/plain" };
  const app = appWith({ metrics: failing });
  const response = await app.request("/metrics");
  expect(response.status).toBe(500);
  expect(await response.text()).toBe("/metrics failed: registry is broken\n");
  expect((await app.request("/healthz")).status).toBe(200);
});
