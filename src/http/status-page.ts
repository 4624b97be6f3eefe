import { html } from "hono/html";
import type { Condition } from "./condition.ts";

export interface Status {
  readonly version: string;
  readonly node: string;
  readonly conditions: readonly Condition[];
  readonly devicesByState: Readonly<Record<string, number>>;
}

/** One small page without scripts. `html` escapes every value that it is given. */
export function statusPage(status: Status) {
  const missing = status.conditions.filter((at) => !at.ready).length;
  const summary = missing === 0 && status.conditions.length > 0 ? "ready" : `not ready (${missing} missing)`;
  const conditions = status.conditions.map(
    (at) => html`<tr><th>${at.name}</th><td>${at.ready ? "yes" : "no"}</td><td>${at.message}</td></tr>`,
  );
  const devices = Object.entries(status.devicesByState).map(
    ([state, count]) => html`<tr><th>${state}</th><td>${count}</td></tr>`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>netferry on ${status.node}</title>
<style>body{font:15px system-ui;margin:2em;max-width:60em}th{text-align:left;padding-right:1em}td{padding-right:1em}</style>
</head>
<body>
<h1>netferry on ${status.node}</h1>
<p>Version ${status.version}, ${summary}. <a href="/readyz">/readyz</a> <a href="/metrics">/metrics</a></p>
<h2>Readiness</h2>
<table>${conditions}</table>
<h2>Devices by state</h2>
<table>${devices}</table>
</body>
</html>
`;
}
