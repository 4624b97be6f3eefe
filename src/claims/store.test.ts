import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClaimStore } from "./store.ts";
import { aLease, claimDevice } from "./testing.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "netferry-store-"));
});
afterEach(() => rmSync(directory, { recursive: true }));
const path = () => join(directory, "sub", "netferry.db");

test("ClaimStore.open() finds what an earlier process put, also what it did not put durably", () => {
  {
    using store = ClaimStore.open(path(), "boot");
    store.putDurably([claimDevice({ sandboxId: "s1", state: "attached" })]);
    store.put([claimDevice({ claimUid: "other", request: "main/sub" })]);
  }
  using again = ClaimStore.open(path(), "boot");
  expect(again.records).toEqual([
    claimDevice({ sandboxId: "s1", state: "attached" }),
    claimDevice({ claimUid: "other", request: "main/sub" }),
  ]);
  expect(again.ofSandbox("s1")).toHaveLength(1);
});

test("ClaimStore.open() takes the rows of another boot as prepared", () => {
  {
    using store = ClaimStore.open(path(), "before");
    store.put([claimDevice({ sandboxId: "s1", state: "attached", lease: aLease({ takenUpMs: 1_000 }) })]);
  }
  using store = ClaimStore.open(path(), "after");
  expect(store.records).toEqual([claimDevice({ lease: aLease() })]);
});

test("ClaimStore.put() replaces the row of the same claim, request, device and share", () => {
  using store = ClaimStore.open(path(), "boot");
  store.put([claimDevice({}), claimDevice({ shareId: "second" })]);
  store.put([claimDevice({ state: "detaching", sandboxId: "s1" })]);
  expect(store.ofClaim("claim").map((record) => [record.shareId, record.state])).toEqual([
    ["", "detaching"],
    ["second", "prepared"],
  ]);
});

test("ClaimStore.removeClaim() forgets all devices of one claim", () => {
  using store = ClaimStore.open(path(), "boot");
  store.put([claimDevice({}), claimDevice({ device: "eth2" }), claimDevice({ claimUid: "other" })]);
  store.removeClaim("claim");
  expect(store.records.map((record) => record.claimUid)).toEqual(["other"]);
});

test("ClaimStore.removeDevices() forgets devices of a claim, and has their profiles to be released", () => {
  const [gone, stays] = [claimDevice({}), claimDevice({ device: "eth2" })];
  {
    using store = ClaimStore.open(path(), "boot");
    store.put([gone, stays]);
    for (const { claimUid, request, device, shareId } of [gone, stays])
      store.profiles.put({ claimUid, request, device, shareId, held: "{}", released: false });
    store.removeDevices([gone]);
  }
  using store = ClaimStore.open(path(), "boot");
  expect(store.records).toEqual([stays]);
  expect(store.profiles.released.map(({ device }) => device)).toEqual([gone.device]);
});

test("ClaimStore.open() refuses a store that another process owns", () => {
  using _first = ClaimStore.open(path(), "boot");
  const child = Bun.spawnSync([
    process.execPath,
    "-e",
    `import { ClaimStore } from ${JSON.stringify(join(import.meta.dir, "store.ts"))};
     try { ClaimStore.open(${JSON.stringify(path())}, "boot"); console.log("opened"); } catch (error) { console.log(error.message); }`,
  ]);
  expect(child.stdout.toString()).toContain("is another netferry running with it?");
});

test("ClaimStore.open() leaves a file that is not SQLite alone and stands beside it", () => {
  const foreign = join(directory, "dranet.db");
  const content = Buffer.alloc(4096, 7);
  writeFileSync(foreign, content);
  {
    using store = ClaimStore.open(foreign, "boot");
    store.put([claimDevice({})]);
  }
  expect(readFileSync(foreign).equals(content)).toBe(true);
  using again = ClaimStore.open(foreign, "boot");
  expect(again.records).toHaveLength(1);
});

test("ClaimStore.open() refuses a store of a newer schema and says so", () => {
  ClaimStore.open(path(), "boot")[Symbol.dispose]();
  const db = new Database(path());
  db.run("PRAGMA user_version = 99");
  db.close();
  expect(() => ClaimStore.open(path(), "boot")).toThrow("cannot use the store");
});

test("ClaimStore keeps every acknowledged row when its process is killed", async () => {
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { ClaimStore } from ${JSON.stringify(join(import.meta.dir, "store.ts"))};
       import { claimDevice } from ${JSON.stringify(join(import.meta.dir, "./testing.ts"))};
       const store = ClaimStore.open(${JSON.stringify(path())}, "boot");
       for (let i = 0; ; i++) { store.put([claimDevice({ claimUid: String(i) })]); if (i >= 200) console.log(i); }`,
    ],
    { stdout: "pipe" },
  );
  const reader = child.stdout.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  child.kill("SIGKILL");
  await child.exited;
  const acknowledged = Number(first.trim().split("\n").at(-1));
  using store = ClaimStore.open(path(), "boot");
  expect(store.records.length).toBeGreaterThan(acknowledged);
});

test("ClaimStore keeps owed RDMA devices for the next process, and none for another boot", () => {
  const device = { ifname: "m0", name: "rxe0", kind: "rxe" } as const;
  {
    using store = ClaimStore.open(path(), "boot");
    store.owedRdma.put(device);
  }
  {
    using store = ClaimStore.open(path(), "boot");
    expect(store.owedRdma.all()).toEqual([device]);
  }
  using store = ClaimStore.open(path(), "after");
  expect(store.owedRdma.all()).toEqual([]);
});
