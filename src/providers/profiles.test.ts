import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../test/fakes/eventually.ts";
import { IpamWebhook } from "../../test/fakes/ipam-webhook.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { ClaimStore } from "../claims/store.ts";
import { claimDevice } from "../claims/testing.ts";
import { ClaimError } from "../lib/errors.ts";
import { createLogger } from "../lib/log.ts";
import { Profiles } from "./profiles.ts";
import { Webhook } from "./webhook.ts";
import { WebhookRefusal } from "./webhook-refusal.ts";

const signal = new AbortController().signal;
const KEY = { claimUid: "c1", request: "nic", device: "eth1", shareId: "" };
const HELD = { device: { name: "eth1" }, claim_uid: "c1", config: { profile: "pool-a" } };
const LEASE = "c1 eth1 pool-a";

let dir: string;
let ipam: IpamWebhook;
let agent: Agent;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "netferry-profiles-"));
  ipam = new IpamWebhook();
  agent = new Agent();
});
afterEach(async () => {
  await agent.stop();
  ipam[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

/** The part of an agent that profiles are; a new one on the same file is the agent after a restart. */
class Agent {
  readonly clock = new ManualClock();
  readonly store = ClaimStore.open(join(dir, "db"), "boot");
  readonly lines: string[] = [];
  failed = 0;
  readonly profiles: Profiles;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(source: () => Promise<Webhook> = async () => new Webhook({ url: ipam.url })) {
    this.profiles = new Profiles({
      records: this.store.profiles,
      source,
      onReleaseFailed: () => {
        this.failed += 1;
      },
      clock: this.clock,
      log: createLogger({ level: "info", write: (line) => this.lines.push(String(JSON.parse(line).message)) }),
    });
    this.#running = this.profiles.run(this.#stop.signal);
  }

  get(held: object = HELD) {
    return this.profiles.get(KEY, { ...HELD, ...held }, {}, signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error("the agent stops"));
    await this.#running;
    this.store[Symbol.dispose]();
  }
}

test("Profiles asks for a profile at each Prepare, and gives it back once when the claim is gone", async () => {
  expect(await agent.get()).toEqual({ interface: { addresses: ["10.66.0.10/24"] } });
  expect(await agent.get()).toEqual({ interface: { addresses: ["10.66.0.10/24"] } });
  agent.store.putDurably([claimDevice({ ...KEY })]);
  agent.store.removeClaim("other");
  agent.store.removeClaim("c1");
  await eventually("it is given back", () => ipam.leases.size === 0);
  await eventually("nothing is held", () => agent.store.profiles.ofClaim("c1").length === 0);
  expect(ipam.count("/ReleaseProfileConfig")).toBe(1);
  expect(ipam.profileQuestions.at(-1)).toEqual(HELD);
  expect(agent.lines).toEqual([]);
});

test("Profiles releases again and again with growing pauses, and tells once", async () => {
  await agent.get();
  ipam.failures["/ReleaseProfileConfig"]?.push(500, 503, 500);
  agent.store.removeClaim("c1");
  for (const [count, atLeastMs] of [
    [1, 800],
    [2, 1_600],
    [3, 3_200],
  ] as const) {
    await eventually(`failure ${count}`, () => agent.failed === count && agent.clock.sleeping.length > 0);
    const [pauseMs = 0] = agent.clock.sleeping;
    expect(pauseMs).toBeGreaterThanOrEqual(atLeastMs);
    expect(pauseMs).toBeLessThanOrEqual(atLeastMs / 0.8);
    expect(agent.store.profiles.released).toHaveLength(1);
    agent.clock.advance(pauseMs);
  }
  await eventually("it is given back", () => agent.store.profiles.released.length === 0);
  expect(ipam.leases.size).toBe(0);
  expect(agent.lines).toEqual(["profile not released yet; it is tried until it is", "profile released after all"]);
});

test("Profiles gives back after a restart what could not be given back before", async () => {
  await agent.get();
  ipam.failures["/ReleaseProfileConfig"]?.push(500);
  agent.store.removeClaim("c1");
  await eventually("the first try", () => agent.failed === 1);
  await agent.stop();
  agent = new Agent();
  await eventually("it is given back", () => ipam.leases.size === 0);
  await eventually("nothing is held", () => agent.store.profiles.released.length === 0);
});

test("Profiles gives back what an agent had asked for when it died, whether or not there was an answer", async () => {
  ipam.failures["/GetProfileConfig"]?.push(500);
  await expect(agent.get()).rejects.toBeInstanceOf(WebhookRefusal);
  await agent.stop();
  agent = new Agent();
  expect(agent.store.profiles.ofClaim("c1")).toHaveLength(1);
  agent.store.removeClaim("c1");
  await eventually("it is given back", () => ipam.count("/ReleaseProfileConfig") === 1);
});

test("Profiles holds nothing after a refusal that is final", async () => {
  ipam.failures["/GetProfileConfig"]?.push(404);
  await expect(agent.get()).rejects.toBeInstanceOf(WebhookRefusal);
  expect(agent.store.profiles.ofClaim("c1")).toEqual([]);
});

test("Profiles does not give back what the claim's next pod has asked for again", async () => {
  await agent.get();
  ipam.failures["/ReleaseProfileConfig"]?.push(500);
  agent.store.removeClaim("c1");
  await eventually("the first try", () => agent.failed === 1 && agent.clock.sleeping.length > 0);
  await agent.get();
  agent.clock.advance(10_000);
  await agent.get();
  expect(ipam.count("/ReleaseProfileConfig")).toBe(1);
  expect(ipam.leases.has(LEASE)).toBe(true);
});

test("Profiles gives back the old profile before it asks for another one of the same claim", async () => {
  await agent.get();
  ipam.failures["/ReleaseProfileConfig"]?.push(500);
  const other = { config: { profile: "pool-b" } };
  const refused = agent.get(other);
  await expect(refused).rejects.toBeInstanceOf(ClaimError);
  await expect(refused).rejects.toThrow("device eth1 holds a profile of the same claim under another configuration");
  expect([...ipam.leases.keys()]).toEqual([LEASE]);
  await agent.get(other);
  expect([...ipam.leases.keys()]).toEqual(["c1 eth1 pool-b"]);
});

test("Profiles keeps what it cannot give back because nobody knows profiles any more", async () => {
  await agent.get();
  await agent.stop();
  agent = new Agent(async () => {
    throw new ClaimError("nobody here knows profiles");
  });
  agent.store.removeClaim("c1");
  await eventually("a failure", () => agent.failed === 1);
  expect(agent.store.profiles.released).toHaveLength(1);
  await expect(agent.get()).rejects.toThrow("nobody here knows profiles");
});
