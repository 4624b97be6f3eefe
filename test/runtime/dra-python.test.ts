/** The kubelet side of netferry, as Debian's grpcio sees it. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClaimsService } from "../../src/dra/claims-service.ts";
import { DraServer } from "../../src/dra/server.ts";
import { ClaimError } from "../../src/lib/errors.ts";
import { silentLogger } from "../../src/lib/log.ts";

const SCRIPT = join(import.meta.dir, "../lab/python/kubelet.py");
/** Debian's own, which has Debian's grpcio; another one may come first in PATH. */
const PYTHON = "/usr/bin/python3";

const CLAIMS = [
  { namespace: "team", uid: "uid-good", name: "good" },
  { namespace: "team", uid: "uid-bad", name: "bad" },
  { namespace: "équipe", uid: "uid-none", name: "none" },
];

let root: string;
let heard: string[];

const claims: ClaimsService = {
  async prepare({ namespace, uid, name }) {
    heard.push(`prepare ${namespace}/${name} ${uid}`);
    if (name === "bad") throw new ClaimError("claim team/bad: device eth9 is not on this node, or é");
    if (name === "none") return [];
    const ids = ["netferry.dev/dra.net=uid-good-main", "netferry.dev/dra.net=uid-good-more"];
    return [
      { requests: ["main", "more"], pool: "n1", device: "eth1", cdiDeviceIds: ids, shareId: "share-1" },
      { requests: [], pool: "n1", device: "eth2", cdiDeviceIds: [] },
    ];
  },
  async unprepare({ namespace, uid, name }) {
    heard.push(`unprepare ${namespace}/${name} ${uid}`);
  },
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "netferry-kubelet-"));
  heard = [];
});

afterEach(() => rmSync(root, { recursive: true }));

function start(): Promise<DraServer> {
  return DraServer.start({ driver: "dra.net", kubeletRoot: root, claims, log: silentLogger });
}

async function kubelet(versions: readonly string[]): Promise<Record<string, unknown>> {
  const input = JSON.stringify({ registry: join(root, "plugins_registry"), versions, claims: CLAIMS });
  const child = Bun.spawn([PYTHON, SCRIPT], { stdin: new TextEncoder().encode(input), stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${PYTHON} ${SCRIPT}: ${error}`);
  return JSON.parse(out);
}

const first = {
  requests: ["main", "more"],
  pool: "n1",
  device: "eth1",
  cdi: ["netferry.dev/dra.net=uid-good-main", "netferry.dev/dra.net=uid-good-more"],
};
const answers = (device: object) => ({
  "uid-good": { devices: [device, { requests: [], pool: "n1", device: "eth2", cdi: [] }], error: "" },
  "uid-bad": { devices: [], error: "claim team/bad: device eth9 is not on this node, or é" },
  "uid-none": { devices: [], error: "" },
});
const gone = { "uid-good": { error: "" }, "uid-bad": { error: "" }, "uid-none": { error: "" } };

test("DraServer serves a kubelet that is not ours with v1 when it knows both versions", async () => {
  await using server = await start();
  const seen = await kubelet(["v1beta1.DRAPlugin", "v1.DRAPlugin"]);
  expect(seen).toEqual({
    type: "DRAPlugin",
    name: "dra.net",
    endpoint: join(root, "plugins/dra.net/dra.sock"),
    offered: ["v1.DRAPlugin", "v1beta1.DRAPlugin"],
    version: "v1.DRAPlugin",
    prepared: answers({ ...first, share: "share-1" }),
    again: answers({ ...first, share: "share-1" }),
    unprepared: gone,
    health: "UNIMPLEMENTED",
  });
  expect(server.registered).toBe(true);
  const inOrder = (verb: string) =>
    heard.filter((line) => line.startsWith(`${verb} `)).map((line) => line.slice(verb.length + 1));
  const each = ["team/good uid-good", "team/bad uid-bad", "équipe/none uid-none"];
  expect(inOrder("prepare")).toEqual([...each, ...each]);
  expect(inOrder("unprepare")).toEqual(each);
});

test("DraServer serves a kubelet of before 1.34 with v1beta1", async () => {
  await using server = await start();
  const seen = await kubelet(["v1beta1.DRAPlugin"]);
  expect(seen).toMatchObject({ version: "v1beta1.DRAPlugin", prepared: answers(first), unprepared: gone });
  expect(server.registered).toBe(true);
});

test("DraServer is not registered when the kubelet knows none of its versions", async () => {
  await using server = await start();
  expect(await kubelet(["v2.DRAPlugin"])).toMatchObject({ version: null });
  expect(server.registration).toEqual({ kind: "refused", error: "no version in common" });
});
