import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { eventually } from "../../test/fakes/eventually.ts";
import { GrpcClient } from "../../test/lab/runtime/grpc-client.ts";
import { ClaimError } from "../lib/errors.ts";
import { DRAPlugin } from "../proto/gen/dra/v1/api_pb.ts";
import { serviceDefinition, serviceImplementation, type UnaryHandlers } from "./service.ts";
import { UnixGrpcServer } from "./unix-server.ts";

let directory: string;
let path: string;
const servers: UnixGrpcServer[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "netferry-grpc-"));
  path = join(directory, "dra.sock");
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(0, () => undefined);
  rmSync(directory, { recursive: true });
});

const idle: UnaryHandlers<typeof DRAPlugin> = {
  nodePrepareResources: async ({ claims }) => ({
    claims: Object.fromEntries(claims.map(({ uid }) => [uid, { devices: [{ deviceName: `for ${uid}` }] }])),
  }),
  nodeUnprepareResources: async () => ({ claims: {} }),
};

async function listen(handlers: Partial<UnaryHandlers<typeof DRAPlugin>> = {}): Promise<UnixGrpcServer> {
  const implementation = serviceImplementation(DRAPlugin, { ...idle, ...handlers });
  const server = await UnixGrpcServer.listen(path, [{ definition: serviceDefinition(DRAPlugin), implementation }]);
  servers.push(server);
  return server;
}

const { nodePrepareResources: prepare } = DRAPlugin.method;
const request = { claims: [{ uid: "u1" }] };

test("UnixGrpcServer serves generated messages to grpc clients of any authority", async () => {
  await listen();
  for (const authority of ["localhost", encodeURIComponent(path)]) {
    using client = new GrpcClient(path, { authority });
    const answer = await client.call(prepare, request);
    expect(answer.claims["u1"]?.devices[0]?.deviceName).toBe("for u1");
  }
});

test("serviceImplementation() answers INTERNAL with the whole sentence when a handler throws", async () => {
  await listen({
    nodePrepareResources: () => Promise.reject(new ClaimError("no device é", { cause: new Error("EBUSY") })),
  });
  using client = new GrpcClient(path);
  const error = await client.call(prepare, request).catch((thrown) => thrown);
  expect([error.code, error.details]).toEqual([status.INTERNAL, "no device é: EBUSY"]);
});

test("serviceImplementation() tells the handler that the caller has hung up", async () => {
  let heard: AbortSignal | undefined;
  await listen({
    nodePrepareResources: (_, { cancelled }) => {
      heard = cancelled;
      return new Promise(() => undefined);
    },
  });
  using client = new GrpcClient(path);
  const error = await client.call(prepare, request, 50).catch((thrown) => thrown);
  expect(error.code).toBe(status.DEADLINE_EXCEEDED);
  await eventually("the handler hears of it", () => heard?.aborted === true);
});

test("UnixGrpcServer.listen() takes the place of a socket that a killed process left", async () => {
  const child = Bun.spawnSync([
    "/usr/bin/python3",
    "-c",
    `import socket; s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(path)}); s.listen()`,
  ]);
  expect(child.exitCode).toBe(0);
  expect(statSync(path).isSocket()).toBe(true);
  await listen();
  using client = new GrpcClient(path);
  expect((await client.call(prepare, request)).claims["u1"]).toBeDefined();
});

test("UnixGrpcServer.listen() leaves a living server its socket", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  const { ino } = statSync(path);
  expect(listen()).rejects.toThrow(`another process serves ${path}`);
  await listen().catch(() => undefined);
  expect(statSync(path).ino).toBe(ino);
  await new Promise((resolve) => other.close(resolve));
});

test("UnixGrpcServer.listen() touches nothing that is no socket, and names a path that is too long", async () => {
  writeFileSync(path, "precious");
  expect(listen()).rejects.toThrow("is no socket");
  path = join(directory, "x".repeat(108));
  expect(listen()).rejects.toThrow("longer than 107 bytes");
});

test("UnixGrpcServer.stop() lets a call under way finish, and takes its file away at once", async () => {
  const release = Promise.withResolvers<void>();
  let started = false;
  const server = await listen({
    nodePrepareResources: async () => {
      started = true;
      await release.promise;
      return { claims: { u1: {} } };
    },
  });
  using client = new GrpcClient(path);
  const answer = client.call(prepare, request);
  await eventually("the call has started", () => started);
  let forced = false;
  const stopped = server.stop(10_000, () => {
    forced = true;
  });
  expect(existsSync(path)).toBe(false);
  release.resolve();
  expect(Object.keys((await answer).claims)).toEqual(["u1"]);
  await stopped;
  expect(forced).toBe(false);
});

test("UnixGrpcServer.stop() cuts a call off that outlasts the grace", async () => {
  let started = false;
  const server = await listen({
    nodePrepareResources: () => {
      started = true;
      return new Promise(() => undefined);
    },
  });
  using client = new GrpcClient(path);
  const answer = client.call(prepare, request).catch((thrown) => thrown);
  await eventually("the call has started", () => started);
  let forced = 0;
  await server.stop(20, () => {
    forced++;
  });
  expect(forced).toBe(1);
  expect([status.UNAVAILABLE, status.CANCELLED]).toContain((await answer).code);
});
