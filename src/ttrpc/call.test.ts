/** Client and server together, over channels in memory. The services are NRI's: any proto service would do. */
import { expect, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { channelPair } from "../../test/fakes/byte-channels.ts";
import { ClaimError } from "../lib/errors.ts";
import { Plugin, RegisterPluginRequestSchema, Runtime } from "../proto/gen/nri/api_pb.ts";
import { RequestSchema, ResponseSchema } from "../proto/gen/ttrpc/request_pb.ts";
import { TtrpcClient } from "./client.ts";
import { encodeFrame, FrameDecoder, MessageType } from "./frame.ts";
import { TtrpcServer } from "./server.ts";
import { type CallContext, ServiceRouter } from "./service-router.ts";
import { Code, StatusError } from "./status.ts";

const TIMEOUT = { timeoutMs: 5_000 };
const { configure, createContainer, shutdown } = Plugin.method;

/** The StatusError that a call ended with. */
async function failure(call: Promise<unknown>): Promise<StatusError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StatusError)) throw new Error("the call did not end with a StatusError", { cause: error });
  return error;
}

/** A server, and the raw end of its channel: for frames that our client would not send. */
function rawServer(router: ServiceRouter) {
  const [raw, served] = channelPair();
  new TtrpcServer(served, router);
  const decoder = new FrameDecoder();
  const waiting: ((answer: { streamId: number; code: number; message: string }) => void)[] = [];
  raw.listen({
    data: (chunk) => {
      for (const frame of decoder.push(chunk)) {
        const { status } = fromBinary(ResponseSchema, frame.data);
        waiting.shift()?.({ streamId: frame.streamId, code: status?.code ?? 0, message: status?.message ?? "" });
      }
    },
    closed: () => undefined,
  });
  return {
    raw,
    send(streamId: number, data: Uint8Array, type: number = MessageType.Request, flags = 0) {
      raw.write(encodeFrame({ streamId, type, flags, data }));
      return new Promise<{ streamId: number; code: number; message: string }>((resolve) => waiting.push(resolve));
    },
  };
}

const request = (service: string, method: string, payload = new Uint8Array(0)) =>
  toBinary(RequestSchema, create(RequestSchema, { service, method, payload }));
const adjustmentWith = (paths: readonly string[]) => ({
  adjust: { linux: { devices: paths.map((path) => ({ path })) } },
});
const PLUGIN = "nri.pkg.api.v1alpha1.Plugin";

test("TtrpcClient.call() puts the bytes on the wire that the Go client puts", () => {
  const [near] = channelPair();
  const call = new TtrpcClient(near).call(
    Runtime.method.registerPlugin,
    { pluginName: "dra.net", pluginIdx: "00" },
    { timeoutMs: 5_000 },
  );
  call.catch(() => undefined);
  // Written out by hand from PROTOCOL.md and the protobuf encoding, field by field.
  const service = Buffer.from("nri.pkg.api.v1alpha1.Runtime").toString("hex");
  const method = Buffer.from("RegisterPlugin").toString("hex");
  const payload = `0a07${Buffer.from("dra.net").toString("hex")}12023030`;
  const data = `0a1c${service}120e${method}1a0d${payload}2080e497d012`; // 5e9 as varint
  const length = (data.length / 2).toString(16).padStart(8, "0");
  expect(near.written.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual([`${length}000000010100${data}`]);
  near.close();
});

test("TtrpcServer answers an Empty reply with an empty response", async () => {
  const [near, far] = channelPair();
  new TtrpcServer(
    far,
    new ServiceRouter().on(shutdown, async () => ({})),
  );
  await new TtrpcClient(near).call(shutdown, {}, TIMEOUT);
  expect(far.written.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual(["00000000000000010200"]);
});

test("call() returns what the handler answered, however the stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string()), fc.integer({ min: 1, max: 40 }), async (env, cut) => {
      const [near, far] = channelPair({ cut: () => cut });
      const router = new ServiceRouter().on(createContainer, async ({ container }) =>
        adjustmentWith(container?.env ?? []),
      );
      new TtrpcServer(far, router);
      const { adjust } = await new TtrpcClient(near).call(createContainer, { container: { env } }, TIMEOUT);
      expect(adjust?.linux?.devices.map(({ path }) => path)).toEqual(env);
    }),
  );
});

test("call() matches answers to calls when they come out of order", async () => {
  const [near, far] = channelPair();
  const first = Promise.withResolvers<void>();
  new TtrpcServer(
    far,
    new ServiceRouter().on(configure, async ({ runtimeName }) => {
      if (runtimeName === "1") await first.promise;
      else first.resolve();
      return { events: Number(runtimeName) };
    }),
  );
  const client = new TtrpcClient(near);
  const answers = await Promise.all(["1", "2"].map((runtimeName) => client.call(configure, { runtimeName }, TIMEOUT)));
  expect(answers.map((answer) => answer.events)).toEqual([1, 2]);
});

test("call() rejects with the status that the handler threw", async () => {
  const [near, far] = channelPair();
  new TtrpcServer(
    far,
    new ServiceRouter()
      .on(configure, async () => {
        throw new StatusError(Code.FAILED_PRECONDITION, "not yet");
      })
      .on(createContainer, async () => {
        throw new ClaimError("cannot attach eth1", { cause: new Error("no such link") });
      }),
  );
  const client = new TtrpcClient(near);
  expect(await failure(client.call(configure, {}, TIMEOUT))).toMatchObject({ code: 9, message: "not yet" });
  expect(await failure(client.call(createContainer, {}, TIMEOUT))).toMatchObject({
    code: Code.UNKNOWN,
    message: "cannot attach eth1: no such link",
  });
  expect(await failure(client.call(shutdown, {}, TIMEOUT))).toMatchObject({ code: 12, message: "method Shutdown" });
});

test("call() rejects with DEADLINE_EXCEEDED when no answer comes, and the late answer is dropped", async () => {
  const [near, far] = channelPair();
  const aborted = Promise.withResolvers<unknown>();
  new TtrpcServer(
    far,
    new ServiceRouter()
      .on(configure, async (_request, { signal, timeoutMs }) => {
        expect(timeoutMs).toBe(10);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        aborted.resolve(signal.reason);
        return { events: 1 };
      })
      .on(shutdown, async () => ({})),
  );
  const client = new TtrpcClient(near);
  expect((await failure(client.call(configure, {}, { timeoutMs: 10 }))).code).toBe(Code.DEADLINE_EXCEEDED);
  expect(await aborted.promise).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
  await client.call(shutdown, {}, TIMEOUT); // the late answer comes before this one's
  expect(far.written.length).toBe(2);
});

test("call() rejects with the signal's reason when it aborts", async () => {
  const [near] = channelPair();
  const stop = new AbortController();
  const call = new TtrpcClient(near).call(shutdown, {}, { ...TIMEOUT, signal: stop.signal });
  stop.abort(new Error("shutting down"));
  await expect(call).rejects.toThrow("shutting down");
});

test("call() rejects with UNAVAILABLE when the connection closes, before and after", async () => {
  const [near, far] = channelPair();
  const client = new TtrpcClient(near);
  const pending = client.call(shutdown, {}, TIMEOUT);
  far.close();
  expect((await failure(pending)).code).toBe(Code.UNAVAILABLE);
  expect((await failure(client.call(shutdown, {}, TIMEOUT))).code).toBe(Code.UNAVAILABLE);
});

test("call() refuses a request above maxSendBytes and sends nothing", async () => {
  const [near] = channelPair();
  const client = new TtrpcClient(near, { maxSendBytes: 100 });
  expect((await failure(client.call(configure, { runtimeName: "x".repeat(100) }, TIMEOUT))).code).toBe(
    Code.RESOURCE_EXHAUSTED,
  );
  expect(near.written).toEqual([]);
});

test("TtrpcServer answers RESOURCE_EXHAUSTED when its response is above maxSendBytes", async () => {
  const [near, far] = channelPair();
  new TtrpcServer(
    far,
    new ServiceRouter().on(createContainer, async () => adjustmentWith(["x".repeat(300)])),
    { maxSendBytes: 200 },
  );
  expect((await failure(new TtrpcClient(near).call(createContainer, {}, TIMEOUT))).code).toBe(Code.RESOURCE_EXHAUSTED);
});

test("TtrpcServer gives a request without timeout no limit, and one that is late an aborted signal", async () => {
  const seen: CallContext[] = [];
  const server = rawServer(
    new ServiceRouter().on(shutdown, async (_request, context) => {
      seen.push({ timeoutMs: context.timeoutMs, signal: context.signal });
      return {};
    }),
  );
  await server.send(1, request(PLUGIN, "Shutdown"));
  const late = create(RequestSchema, { service: PLUGIN, method: "Shutdown", timeoutNano: -5n });
  await server.send(3, toBinary(RequestSchema, late));
  expect(seen.map(({ timeoutMs, signal }) => [timeoutMs, signal.aborted])).toEqual([
    [undefined, false],
    [0, true],
  ]);
});

test("TtrpcServer aborts its handlers when the connection is gone, and answers nobody", async () => {
  const started = Promise.withResolvers<AbortSignal>();
  const server = rawServer(
    new ServiceRouter().on(shutdown, (_request, { signal }) => {
      started.resolve(signal);
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve({})));
    }),
  );
  void server.send(1, request(PLUGIN, "Shutdown"));
  const signal = await started.promise;
  expect(signal.aborted).toBe(false);
  server.raw.close();
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  expect(signal.aborted).toBe(true);
});

test("TtrpcServer answers what starts no call as the Go server does, and serves on", async () => {
  const server = rawServer(new ServiceRouter().on(shutdown, async () => ({})));
  const good = request(PLUGIN, "Shutdown");
  const table: [number, Uint8Array, number, number, number][] = [
    [2, good, MessageType.Request, 0, Code.INVALID_ARGUMENT], // even
    [5, good, MessageType.Request, 0, Code.OK],
    [5, good, MessageType.Request, 0, Code.INVALID_ARGUMENT], // again
    [3, good, MessageType.Request, 0, Code.INVALID_ARGUMENT], // lower
    [7, good, MessageType.Data, 0, Code.INVALID_ARGUMENT],
    [7, good, MessageType.Request, 2, Code.UNIMPLEMENTED], // a stream
    [9, Uint8Array.of(0xff), MessageType.Request, 0, Code.INVALID_ARGUMENT], // no envelope
    [11, request(PLUGIN, "Nonsense"), MessageType.Request, 0, Code.UNIMPLEMENTED],
    [13, request("no.Such", "Shutdown"), MessageType.Request, 0, Code.UNIMPLEMENTED],
    [15, request(PLUGIN, "Shutdown", Uint8Array.of(0xff)), MessageType.Request, 0, Code.INVALID_ARGUMENT],
    [17, good, MessageType.Request, 0, Code.OK],
  ];
  for (const [streamId, data, type, flags, code] of table) {
    const answer = await server.send(streamId, data, type, flags);
    expect({ streamId: answer.streamId, code: answer.code }).toEqual({ streamId, code });
  }
  expect(server.raw.closedWith).toBeUndefined();
});

test("TtrpcServer is silent about message types that it does not know", async () => {
  const server = rawServer(new ServiceRouter().on(shutdown, async () => ({})));
  server.raw.write(encodeFrame({ streamId: 1, type: 9, flags: 0, data: new Uint8Array(3) }));
  expect((await server.send(1, request(PLUGIN, "Shutdown"))).code).toBe(Code.OK);
});

test("TtrpcServer closes the connection on a length that nobody may send", async () => {
  const [raw, served] = channelPair();
  new TtrpcServer(served, new ServiceRouter());
  const closed = new Promise<void>((resolve) => raw.listen({ data: () => undefined, closed: () => resolve() }));
  raw.write(Buffer.from("ffffffff000000010100", "hex"));
  await closed;
  expect(served.closedWith).toBeInstanceOf(Error);
});

test("RegisterPluginRequest keeps fields of newer peers out of the way", () => {
  const bytes = Uint8Array.from([
    ...toBinary(RegisterPluginRequestSchema, create(RegisterPluginRequestSchema, { pluginName: "a" })),
    ...[0xfa, 0x01, 0x01, 0x78], // field 31, one byte
  ]);
  expect(fromBinary(RegisterPluginRequestSchema, bytes).pluginName).toBe("a");
});
