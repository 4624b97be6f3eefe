import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../test/fakes/eventually.ts";
import { GrpcClient } from "../../test/lab/runtime/grpc-client.ts";
import { ClaimError } from "../lib/errors.ts";
import { createLogger, silentLogger } from "../lib/log.ts";
import { DRAPlugin as V1 } from "../proto/gen/dra/v1/api_pb.ts";
import { DRAPlugin as V1beta1 } from "../proto/gen/dra/v1beta1/api_pb.ts";
import { Registration } from "../proto/gen/pluginregistration/v1/api_pb.ts";
import type { ClaimsService } from "./claims-service.ts";
import { DraServer, type DraServerOptions } from "./server.ts";

let root: string;
const servers: DraServer[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "netferry-kubelet-"));
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

const claims: ClaimsService = {
  async prepare({ uid, name }) {
    if (name === "bad") throw new ClaimError("claim team/bad asks for a device that is not here");
    const device = {
      requests: ["main"],
      pool: "n1",
      device: "eth1",
      cdiDeviceIds: [`netferry.dev/dra.net=${uid}-main`],
    };
    return [name === "shared" ? { ...device, shareId: "share-1" } : device];
  },
  unprepare: async () => undefined,
};

async function start(options: Partial<DraServerOptions> = {}): Promise<DraServer> {
  const server = await DraServer.start({ driver: "dra.net", kubeletRoot: root, claims, log: silentLogger, ...options });
  servers.push(server);
  return server;
}

const draSocket = () => join(root, "plugins/dra.net/dra.sock");
const regSocket = () => join(root, "plugins_registry/dra.net-reg.sock");

test("DraServer says at the registration socket who it is and where its service is", async () => {
  const server = await start();
  expect(server.sockets).toEqual({ dra: draSocket(), registration: regSocket() });
  using client = new GrpcClient(regSocket(), { authority: encodeURIComponent(regSocket()) });
  const { $typeName: _name, ...info } = await client.call(Registration.method.getInfo, {});
  expect(info).toEqual({
    type: "DRAPlugin",
    name: "dra.net",
    endpoint: draSocket(),
    supportedVersions: ["v1.DRAPlugin", "v1beta1.DRAPlugin"],
  });
});

test("DraServer makes an absolute endpoint of a relative root", async () => {
  const relative = join("..", "..", "..", "..", "..", "..", "..", root);
  expect((await start({ kubeletRoot: relative })).sockets.dra).toBe(draSocket());
});

test("DraServer is registered once the kubelet says so, and reports a refusal", async () => {
  const lines: string[] = [];
  const states: string[] = [];
  const server = await start({
    log: createLogger({ level: "info", write: (line) => lines.push(line) }),
    onRegistration: ({ kind }) => states.push(kind),
  });
  expect([server.registered, server.registration.kind]).toEqual([false, "waiting"]);
  using client = new GrpcClient(regSocket());
  const notify = (pluginRegistered: boolean, error = "") =>
    client.call(Registration.method.notifyRegistrationStatus, { pluginRegistered, error });
  await notify(false, "no version in common");
  expect([server.registered, server.registration]).toEqual([false, { kind: "refused", error: "no version in common" }]);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: "error", reason: "no version in common" }]);
  await notify(true);
  await notify(true); // a kubelet that was restarted
  expect([server.registered, states]).toEqual([true, ["refused", "registered", "registered"]]);
});

test("DraServer answers v1 and v1beta1 with one entry for each claim", async () => {
  const requests: string[] = [];
  await start({ onRequest: (method, status) => requests.push(`${method} ${status}`) });
  using client = new GrpcClient(draSocket());
  const asked = { claims: ["good", "bad", "shared"].map((name) => ({ namespace: "team", uid: `u-${name}`, name })) };
  const v1 = (await client.call(V1.method.nodePrepareResources, asked)).claims;
  expect(Object.keys(v1).sort()).toEqual(["u-bad", "u-good", "u-shared"]);
  expect(v1["u-bad"]?.error).toBe("claim team/bad asks for a device that is not here");
  expect(v1["u-good"]?.devices).toMatchObject([
    { requestNames: ["main"], poolName: "n1", deviceName: "eth1", cdiDeviceIds: ["netferry.dev/dra.net=u-good-main"] },
  ]);
  expect([v1["u-good"]?.devices[0]?.shareId, v1["u-shared"]?.devices[0]?.shareId]).toEqual([undefined, "share-1"]);
  const v1beta1 = (await client.call(V1beta1.method.nodePrepareResources, asked)).claims;
  expect(v1beta1["u-shared"]?.devices[0]?.cdiDeviceIds).toEqual(["netferry.dev/dra.net=u-shared-main"]);
  const gone = [
    await client.call(V1.method.nodeUnprepareResources, asked),
    await client.call(V1beta1.method.nodeUnprepareResources, asked),
  ];
  for (const answer of gone) expect(Object.values(answer.claims).map(({ error }) => error)).toEqual(["", "", ""]);
  expect(requests).toEqual([
    "PrepareResourceClaims failed",
    "PrepareResourceClaims failed",
    "UnprepareResourceClaims success",
    "UnprepareResourceClaims success",
  ]);
});

test("DraServer.start() leaves no socket behind when the registration socket is taken", async () => {
  mkdirSync(join(root, "plugins_registry"));
  writeFileSync(regSocket(), "");
  expect(start()).rejects.toThrow("is no socket");
  await start().catch(() => undefined);
  expect(readdirSync(join(root, "plugins/dra.net"))).toEqual([]);
});

test("DraServer.start() refuses to be the second of its name, and the first goes on", async () => {
  await start();
  expect(start()).rejects.toThrow("a second agent of the same driver name runs on this node");
  await start().catch(() => undefined);
  using client = new GrpcClient(draSocket());
  expect((await client.call(V1.method.nodePrepareResources, { claims: [{ uid: "u" }] })).claims["u"]?.error).toBe("");
});

test("DraServer goes away with its registration first, and lets the call under way end", async () => {
  const release = Promise.withResolvers<void>();
  const order: string[] = [];
  const server = await start({
    claims: {
      ...claims,
      async unprepare() {
        order.push("started");
        await release.promise;
      },
    },
  });
  using client = new GrpcClient(draSocket());
  const answer = client.call(V1.method.nodeUnprepareResources, { claims: [{ uid: "u" }] });
  await eventually("it is under way", () => order.length === 1);
  const disposed = server[Symbol.asyncDispose]();
  await eventually("the registration is gone", () => !existsSync(regSocket()));
  await eventually("the service takes no new connection", () => !existsSync(draSocket()));
  release.resolve();
  expect((await answer).claims["u"]?.error).toBe("");
  await disposed;
});

test("DraServer tells work to stop when it outlasts the grace, and waits for it to have stopped", async () => {
  let [entered, stopped] = [false, false];
  const server = await start({
    stopGraceMs: 20,
    claims: {
      ...claims,
      prepare: (_claim, signal) =>
        new Promise((_resolve, reject) => {
          entered = true;
          signal.addEventListener("abort", () => {
            stopped = true;
            reject(signal.reason);
          });
        }),
    },
  });
  using client = new GrpcClient(draSocket());
  const answer = client.call(V1.method.nodePrepareResources, { claims: [{ uid: "u" }] }).catch((error) => error);
  await eventually("it is under way", () => entered);
  await server[Symbol.asyncDispose]();
  expect(stopped).toBe(true);
  expect(await answer).toBeInstanceOf(Error);
});
