import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Receipts } from "./receipts.ts";

const DRIVER = "dra.net";
const root = mkdtempSync(join(tmpdir(), "netferry-receipts-"));
afterAll(() => rmSync(root, { recursive: true }));

const receipt = {
  driver: DRIVER,
  claimUid: "11111111-2222-3333-4444-555555555555",
  sandboxId: "sandbox",
  netnsPath: "/var/run/netns/cni-1",
  requests: { nic: [{ link: "net1" }] },
};

test("Receipts writes none and says why when its directory is the container's own", () => {
  const receipts = new Receipts(join(root, "own/cdi"), DRIVER, root);
  expect(receipts.unseen).toContain(`${root}/own/cdi is the container's own, not the host's`);
  expect(receipts.problem()).toBe(receipts.unseen);
  receipts.write(receipt);
  expect(readdirSync(join(root, "own/cdi"))).toEqual([]);
});

test("Receipts writes them when its directory is on another mount than the container's root", () => {
  const receipts = new Receipts(join(root, "mounted"), DRIVER, "/proc");
  expect(receipts.unseen).toBeUndefined();
  receipts.write(receipt);
  expect(receipts.claims()).toEqual([receipt.claimUid]);
});

test("Receipts writes them outside of a container, wherever its directory is", () => {
  const receipts = new Receipts(join(root, "plain"), DRIVER);
  expect(receipts.problem()).toBeUndefined();
  receipts.write(receipt);
  expect(receipts.claims()).toEqual([receipt.claimUid]);
});

test("Receipts finds and removes what an agent that died left unfinished, and nobody else's files", () => {
  const directory = join(root, "died");
  mkdirSync(directory);
  const others = [".nvidia.json.new", "netferry-other.net-x.json"];
  for (const name of [
    ...others,
    `.netferry-${DRIVER}-${receipt.claimUid}.json.new`,
    `.netferry-${DRIVER}-b-alias.json.new`,
  ])
    writeFileSync(join(directory, name), "{");
  const receipts = new Receipts(directory, DRIVER);
  expect([...receipts.claims()].sort()).toEqual([receipt.claimUid, "b"]);
  for (const claimUid of receipts.claims()) receipts.remove(claimUid);
  expect(readdirSync(directory).sort()).toEqual(others);
});
