import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TlsKit } from "../../test/fakes/tls-kit.ts";
import { type Endpoint, ExchangeError, exchange, type Question } from "./exchange.ts";

const dir = mkdtempSync(join(tmpdir(), "netferry-exchange-"));
const servers: Server[] = [];
const signal = new AbortController().signal;
const QUESTION: Question = { method: "GET", path: "/a?b=c", limitMs: 5_000, maxBytes: 1_000 };
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(dir, { recursive: true });
});

/** A peer that says these bytes to whoever has asked, and then closes if they end so. */
async function peer(answer: (socket: Socket) => void): Promise<Endpoint> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined); // the asker may go at any moment
    socket.once("data", () => answer(socket));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}` };
}

async function failure(endpoint: Endpoint, over: Partial<Question> = {}): Promise<ExchangeError> {
  const error = await exchange(endpoint, { ...QUESTION, ...over }, signal).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ExchangeError)) throw new Error(`no ExchangeError: ${error}`);
  return error;
}

test("exchange() asks below the URL's path, with headers and a JSON body, and takes any status as an answer", async () => {
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) =>
      new Response(
        `${request.method} ${new URL(request.url).pathname} ${request.headers.get("x-y")} ${await request.text()}`,
        {
          status: 418,
          headers: { Kettle: "short" },
        },
      ),
  });
  const endpoint = { url: `http://127.0.0.1:${server.port}/base/` };
  const answer = await exchange(
    endpoint,
    { ...QUESTION, method: "POST", path: "/x", headers: { "x-y": "z" }, body: { a: 1 } },
    signal,
  );
  expect(answer).toMatchObject({ status: 418, text: 'POST /base/x z {"a":1}' });
  expect(answer.headers["kettle"]).toBe("short");
});

test("exchange() goes over a unix socket", async () => {
  const path = join(dir, "peer.sock");
  using _ = Bun.serve({ unix: path, fetch: (request) => new Response(new URL(request.url).search) });
  expect((await exchange({ url: `unix://${path}` }, QUESTION, signal)).text).toBe("?b=c");
});

test("exchange() trusts the authority that it was given, and not an unknown one", async () => {
  using kit = new TlsKit();
  const authority = kit.authority("private");
  const { cert, key } = kit.signed("peer", authority, "IP:127.0.0.1");
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: { cert, key }, fetch: () => new Response("safe") });
  const url = `https://127.0.0.1:${server.port}`;
  expect((await exchange({ url, ca: authority.cert }, QUESTION, signal)).text).toBe("safe");
  expect((await failure({ url })).reason).toBe("unreachable");
  expect((await failure({ url, ca: kit.authority("another").cert })).reason).toBe("unreachable");
});

test("exchange() does not go by way of the environment's proxy, which other requests go on using", async () => {
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("direct") });
  using proxy = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("proxy") });
  const script = `
    import { exchange } from ${JSON.stringify(join(import.meta.dir, "exchange.ts"))};
    const elsewhere = async () => (await fetch("http://192.0.2.1/")).text();
    const said = [await elsewhere()];
    const question = { method: "GET", path: "/", limitMs: 5000, maxBytes: 99 };
    said.push((await exchange({ url: "http://127.0.0.1:${server.port}" }, question, new AbortController().signal)).text);
    said.push(await elsewhere(), process.env.NO_PROXY);
    console.log(said.join(" "));`;
  const url = `http://127.0.0.1:${proxy.port}`;
  const env = { PATH: process.env["PATH"], http_proxy: url, HTTP_PROXY: url, no_proxy: "a.example" };
  const child = Bun.spawn([process.execPath, "-e", script], { env });
  expect((await new Response(child.stdout).text()).trim()).toBe("proxy direct proxy a.example,127.0.0.1");
});

test("exchange() names the question and the peer when nobody listens", async () => {
  const { url } = await peer(() => undefined);
  servers.pop()?.close();
  const error = await failure({ url });
  expect(error.message).toBe(`GET /a?b=c at ${url}: no connection, or it broke (ECONNREFUSED)`);
  const path = join(dir, "none.sock");
  expect((await failure({ url: `unix://${path}` })).reason).toBe("unreachable");
});

test("exchange() gives up on a peer that says nothing, or never ends", async () => {
  const silent = await peer(() => undefined);
  const error = await failure(silent, { limitMs: 50 });
  expect(error.message).toBe(`GET /a?b=c at ${silent.url}: no whole answer within 0.05 s`);
  const endless = await peer((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nbegin"));
  expect((await failure(endless, { limitMs: 50 })).reason).toBe("late");
});

test("exchange() stops reading an answer that is too long", async () => {
  const declared = await peer((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n${"x".repeat(1001)}`),
  );
  expect((await failure(declared)).message).toContain("the answer is longer than 1000 bytes");
  const chunk = `400\r\n${"x".repeat(0x400)}\r\n`;
  const endless = await peer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    const more = () => socket.writable && socket.write(chunk, more);
    more();
  });
  expect((await failure(endless)).reason).toBe("oversized");
});

test("exchange() refuses half an answer, and what is no HTTP", async () => {
  const half = await peer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nbegin"));
  expect((await failure(half)).reason).toBe("unreachable");
  const other = await peer((socket) => socket.end("220 mail.example ESMTP\r\n"));
  expect((await failure(other)).reason).toBe("unreachable");
});

test("exchange() rejects with the signal's reason when it is told to stop", async () => {
  const stop = new AbortController();
  const silent = await peer(() => stop.abort(new Error("the agent stops")));
  await expect(exchange(silent, QUESTION, stop.signal)).rejects.toThrow("the agent stops");
});
