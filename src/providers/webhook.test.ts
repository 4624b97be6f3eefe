import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TlsKit } from "../../test/fakes/tls-kit.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { Webhook } from "./webhook.ts";
import { WebhookRefusal } from "./webhook-refusal.ts";

const signal = new AbortController().signal;
const dir = mkdtempSync(join(tmpdir(), "netferry-webhook-"));
const DEVICE = { mac_address: "02:00:00:00:00:01", pci_address: "0000:3b:00.0", name: "eth1" };
const KEY = { device: DEVICE, claim_uid: "c-1", config: { profile: "pool-a" } };

/** What it was asked, and what it answers. */
const asked: {
  readonly method: string;
  readonly path: string;
  readonly type: string | null;
  readonly body: unknown;
}[] = [];
let answer: () => Response | Promise<Response>;
async function serve(request: Request): Promise<Response> {
  const text = await request.text();
  asked.push({
    method: request.method,
    path: new URL(request.url).pathname,
    type: request.headers.get("content-type"),
    body: text === "" ? undefined : JSON.parse(text),
  });
  return answer();
}
const socket = join(dir, "webhook.sock");
const overSocket = Bun.serve({ unix: socket, fetch: serve });
const overTcp = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: serve });
const kit = new TlsKit();
const authority = kit.authority("webhooks");
const { cert, key } = kit.signed("webhook", authority, "IP:127.0.0.1");
const overTls = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: { cert, key }, fetch: serve });
afterAll(() => {
  for (const server of [overSocket, overTcp, overTls]) server.stop(true);
  kit[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  asked.length = 0;
  answer = () => Response.json({});
});

const URL_OF_TCP = `http://127.0.0.1:${overTcp.port}`;
const webhook = new Webhook({ url: URL_OF_TCP });

async function sentence(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ClaimError);
  const text = describeError(error);
  expect(text).not.toContain("\n");
  return text;
}

describe.each([
  ["http", { url: URL_OF_TCP }],
  ["https", { url: `https://127.0.0.1:${overTls.port}`, ca: authority.cert }],
  ["unix", { url: `unix://${socket}` }],
])("over %s", (_, endpoint) => {
  const peer = new Webhook(endpoint);

  test("health() asks by GET what the webhook can do", async () => {
    answer = () => Response.json({ cloudProvider: true });
    const none = { cloudProvider: false, profileProvider: false, runtimeHook: false };
    expect(await peer.health(signal)).toEqual({ ...none, cloudProvider: true });
    expect(asked).toEqual([{ method: "GET", path: "/health", type: null, body: undefined }]);
  });

  test("the other calls are POSTs of JSON", async () => {
    answer = () =>
      Response.json({
        "example.com/rail": { int: 3 },
        plane: { string: "a" },
        "example.com/up": { bool: true },
        "example.com/fw": { version: "1.2.3" },
      });
    expect(await peer.deviceAttributes(DEVICE, signal)).toEqual({
      "example.com/rail": { int: 3 },
      plane: { string: "a" },
      "example.com/up": { bool: true },
      "example.com/fw": { version: "1.2.3" },
    });
    answer = () => Response.json({ interface: { mtu: 4000 }, routes: null, subInterface: null });
    expect(await peer.deviceConfig(DEVICE, signal)).toEqual({ interface: { mtu: 4000 } });
    answer = () => Response.json({ interface: { addresses: ["10.1.2.3/24"] } });
    const claim = { metadata: { uid: "c-1" } };
    expect(await peer.profileConfig(KEY, claim, signal)).toEqual({ interface: { addresses: ["10.1.2.3/24"] } });
    answer = () => new Response("ignored");
    await peer.releaseProfile(KEY, signal);
    const type = "application/json";
    expect(asked).toEqual([
      { method: "POST", path: "/GetDeviceAttributes", type, body: DEVICE },
      { method: "POST", path: "/GetDeviceConfig", type, body: DEVICE },
      { method: "POST", path: "/GetProfileConfig", type, body: { ...KEY, claim } },
      { method: "POST", path: "/ReleaseProfileConfig", type, body: KEY },
    ]);
  });
});

test("deviceConfig() takes {} for a configuration that sets nothing", async () => {
  expect(await webhook.deviceConfig(DEVICE, signal)).toEqual({});
});

test("a refusal is told with path, device, status and the webhook's words, cut", async () => {
  answer = () => new Response(`no address\n left ${"x".repeat(500)}`, { status: 409 });
  const refused = await webhook.profileConfig(KEY, {}, signal).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(WebhookRefusal);
  const { message, isFinal } = refused as WebhookRefusal;
  expect(message).toStartWith(`device eth1: POST /GetProfileConfig at ${URL_OF_TCP} answered 409 (no address left xxx`);
  expect(message).toEndWith("x); the webhook's log should say why");
  expect(message.length).toBeLessThan(400);
  expect(isFinal).toBe(true);
  answer = () => new Response(null, { status: 204 });
  expect(await sentence(webhook.releaseProfile(KEY, signal))).toContain("POST /ReleaseProfileConfig");
});

test("an answer that is no configuration is told with its fields", async () => {
  const wrong: Record<string, [() => Response, string]> = {
    html: [() => new Response("<html>"), "docs/providers.md shows what it takes"],
    field: [() => Response.json({ interface: { mtuu: 9000 } }), "interface.mtuu"],
    value: [() => Response.json({ interface: { addresses: ["10.0.0.1"] } }), "10.0.0.1"],
    list: [() => Response.json([]), "docs/providers.md"],
  };
  for (const [response, words] of Object.values(wrong)) {
    answer = response;
    const text = await sentence(webhook.deviceConfig(DEVICE, signal));
    expect(text).toStartWith(`device eth1: POST /GetDeviceConfig at ${URL_OF_TCP} answered what netferry cannot read`);
    expect(text).toContain(words);
  }
  for (const attributes of [
    { a: { string: 1 } },
    { a: "text" },
    { a: { string: "x", int: 1 } },
    "text",
    { a: { int: 1.5 } },
  ]) {
    answer = () => Response.json(attributes);
    expect(await sentence(webhook.deviceAttributes(DEVICE, signal))).toContain("POST /GetDeviceAttributes");
  }
});

test("an answer without end, a late one and a webhook that is not there are told with what to look at", async () => {
  answer = () => new Response("x".repeat((1 << 20) + 1));
  expect(await sentence(webhook.deviceConfig(DEVICE, signal))).toBe(
    `device eth1 has no answer of the webhook; an answer holds one device's attributes or configuration, which is short: POST /GetDeviceConfig at ${URL_OF_TCP}: the answer is longer than 1048576 bytes`,
  );
  answer = () => new Promise<never>(() => undefined);
  const hasty = new Webhook({ url: URL_OF_TCP }, { requestMs: 50, healthMs: 40 });
  expect(await sentence(hasty.profileConfig(KEY, {}, signal))).toBe(
    `device eth1 has no answer of the webhook; does it wait for something? Its log should say: POST /GetProfileConfig at ${URL_OF_TCP}: no whole answer within 0.05 s`,
  );
  expect(await sentence(hasty.health(signal))).toContain(`GET /health at ${URL_OF_TCP}: no whole answer within 0.04 s`);
  const nowhere = new Webhook({ url: "unix:///run/none.sock" });
  expect(await sentence(nowhere.deviceConfig(DEVICE, signal))).toStartWith(
    "device eth1 has no answer of the webhook; is it running, and is --webhook-url right?: POST /GetDeviceConfig at unix:///run/none.sock",
  );
});
