import { describe, expect, test } from "bun:test";
import { ClaimError } from "../lib/errors.ts";
import { createLogger } from "../lib/log.ts";
import type { Binding, BindingStore } from "./binding.ts";
import { ClaimBook } from "./claim-book.ts";
import { type ClaimFiles, readClaimFile } from "./claim-file.ts";
import { claimUid } from "./claim-uid.ts";
import { device } from "./testing.ts";

/** Keeps what was saved, as text, like a disk does. */
class MemoryStore implements BindingStore {
  readonly rows = new Map<string, string>();
  load = () => [...this.rows.values()].map((row) => JSON.parse(row) as Binding);
  save = (binding: Binding) => void this.rows.set(binding.claimUid, JSON.stringify(binding));
  remove = (uid: string) => void this.rows.delete(uid);
}

const devices = ["a", "b"].map((name) => device(name, { "dra.net/ifName": { string: name } }));
const POD = { namespace: "default", name: "pod1", uid: "pod-uid" };

function files(claims: Record<string, string>): ClaimFiles {
  const text = Object.entries(claims).map(([name, selector]) =>
    [
      `{apiVersion: resource.k8s.io/v1, kind: ResourceClaim, metadata: {name: ${name}}, spec: {devices: {requests: [{name: main,`,
      `  exactly: {deviceClassName: nic, selectors: [${selector === "" ? "" : `{cel: {expression: '${selector}'}}`}]}}]}}}`,
    ].join("\n"),
  );
  return readClaimFile(
    "claims.yaml",
    ["{apiVersion: resource.k8s.io/v1, kind: DeviceClass, metadata: {name: nic}, spec: {}}", ...text].join("\n---\n"),
  );
}

function book(store: BindingStore, used: ReadonlySet<string> = new Set()) {
  const lines: string[] = [];
  const log = createLogger({
    level: "info",
    write: (line) => lines.push((JSON.parse(line) as { message: string }).message),
  });
  return {
    lines,
    book: new ClaimBook({ store, driver: "dra.net", pool: "node1", log, inUse: (uid) => used.has(uid) }),
  };
}

describe("ClaimBook", () => {
  test("binds claims, and another one on the same store knows it", async () => {
    const store = new MemoryStore();
    await book(store).book.update(files({ x: 'device.attributes["dra.net"].ifName == "b"' }), devices);
    const facts = book(store).book.factsFor("x", POD);
    expect(facts).toEqual({
      uid: claimUid("default", "x"),
      namespace: "default",
      name: "x",
      allocated: true,
      reservedFor: [{ apiGroup: "", resource: "pods", name: "pod1", uid: "pod-uid" }],
      results: [{ request: "main", driver: "dra.net", pool: "node1", device: "b", adminAccess: false }],
      configs: [],
    });
  });

  test("changes nothing, and says nothing, when nothing has changed", async () => {
    const store = new MemoryStore();
    const { book: claims, lines } = book(store);
    const all = files({ x: "", y: "", z: "" });
    await claims.update(all, devices);
    expect(lines).toEqual(["claim bound", "claim bound", "claim is not served"]);
    const before = new Map(store.rows);
    await claims.update(all, devices);
    expect(lines).toHaveLength(3);
    expect(store.rows).toEqual(before);
    // The same refusal is said again once it has been away.
    await claims.update(files({ x: "", y: "" }), devices);
    await claims.update(all, devices);
    expect(lines).toHaveLength(4);
  });

  test("says why a claim has no devices, or that it is in no file", async () => {
    const { book: claims } = book(new MemoryStore());
    await claims.update(files({ x: "false" }), devices);
    expect(() => claims.factsFor("x", POD)).toThrow(ClaimError);
    expect(() => claims.factsFor("x", POD)).toThrow(
      "ResourceClaim default/x has no devices: request main needs 1 device; of 2 on this host 0 match and 0 of these are free",
    );
    expect(() => claims.factsFor("y", POD)).toThrow("ResourceClaim default/y is in no file");
    expect(() => claims.factsFor("x", { ...POD, namespace: "other" })).toThrow("ResourceClaim other/x is in no file");
    await claims.update(readClaimFile("claims.yaml", "a: ["), devices);
    expect(() => claims.factsFor("x", POD)).toThrow("is in no file; it may be in one that has problems: claims.yaml:1");
  });

  test("forgets a claim whose file is gone, but not while a pod has it", async () => {
    const store = new MemoryStore();
    const used = new Set([claimUid("default", "x")]);
    const { book: claims, lines } = book(store, used);
    await claims.update(files({ x: "" }), devices);
    await claims.update(files({}), devices);
    expect(claims.factsFor("x", POD).results).toHaveLength(1);
    expect(claims.refused.map(({ reason }) => reason)).toEqual([
      "its file is gone, but a pod still has its devices: they stay with that pod until it ends",
    ]);
    used.clear();
    await claims.update(files({}), devices);
    expect(store.rows.size).toBe(0);
    expect(lines).toEqual(["claim bound", "claim is not served", "claim released"]);
  });

  test("gives no device twice when two updates run at once", async () => {
    const { book: claims } = book(new MemoryStore());
    await Promise.all([
      claims.update(files({ x: "true" }), devices),
      claims.update(files({ x: "true", y: "true" }), devices),
    ]);
    expect(claims.bindings.flatMap(({ results }) => results.map(({ device }) => device)).toSorted()).toEqual([
      "a",
      "b",
    ]);
  });

  test("stores the new binding of a claim that has changed", async () => {
    const store = new MemoryStore();
    const { book: claims } = book(store);
    await claims.update(files({ x: "" }), devices);
    await claims.update(files({ x: 'device.attributes["dra.net"].ifName == "b"' }), devices);
    expect(store.load().map(({ results }) => results[0]?.device)).toEqual(["b"]);
  });
});
