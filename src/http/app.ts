/** The agent's HTTP side: is it alive, is it ready, what does it count, and one page for people. */

import { Hono } from "hono";
import { describeError } from "../lib/errors.ts";
import type { Condition } from "./condition.ts";
import { statusPage } from "./status-page.ts";

export interface HttpParts {
  readonly version: string;
  readonly node: string;
  /** Resolves when the main loop and both kernel Workers answer; rejects with a sentence that says which does not. */
  checkAlive(signal: AbortSignal): Promise<void>;
  conditions(): readonly Condition[];
  /** Number of devices by state, for the status page. */
  devicesByState(): Readonly<Record<string, number>>;
  readonly metrics: { render(): Promise<string>; readonly contentType: string };
  /** How long `/healthz` waits; the kubelet's probes give up after 1 s by default. */
  readonly aliveTimeoutMs?: number;
}

const DEFAULT_ALIVE_TIMEOUT_MS = 900;

export function createHttpApp(parts: HttpParts): Hono {
  const app = new Hono();
  const aliveTimeoutMs = parts.aliveTimeoutMs ?? DEFAULT_ALIVE_TIMEOUT_MS;

  app.get("/healthz", async (c) => {
    try {
      await withLimit((signal) => parts.checkAlive(signal), aliveTimeoutMs);
      return c.text("ok\n");
    } catch (error) {
      return c.text(`not alive: ${describeError(error)}\n`, 503);
    }
  });

  app.get("/readyz", (c) => {
    const conditions = parts.conditions();
    const ready = isReady(conditions);
    const status = ready ? 200 : 503;
    if (c.req.header("accept")?.includes("application/json")) return c.json({ ready, conditions }, status);
    const lines = conditions.map((at) => `[${at.ready ? "+" : "-"}] ${at.name}: ${at.message}`);
    return c.text([...lines, ready ? "ready" : "not ready", ""].join("\n"), status);
  });

  app.get("/metrics", async (c) =>
    c.body(await parts.metrics.render(), 200, { "content-type": parts.metrics.contentType }),
  );

  app.get("/", async (c) => {
    const { version, node } = parts;
    return c.html(
      statusPage({ version, node, conditions: parts.conditions(), devicesByState: parts.devicesByState() }),
    );
  });

  app.notFound((c) => c.text(`There is no ${c.req.path} here; see /, /healthz, /readyz and /metrics.\n`, 404));
  app.onError((error, c) => c.text(`${c.req.path} failed: ${describeError(error)}\n`, 500));
  return app;
}

/** An agent without conditions has not been told yet when it is ready. */
export function isReady(conditions: readonly Condition[]): boolean {
  return conditions.length > 0 && conditions.every((at) => at.ready);
}

/** Runs `task` for at most `limitMs`, also when it ignores the signal. */
async function withLimit(task: (signal: AbortSignal) => Promise<void>, limitMs: number): Promise<void> {
  const limit = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`no answer within ${limitMs} ms`);
    limit.abort(error);
    reject(error);
  }, limitMs);
  try {
    await Promise.race([task(limit.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
