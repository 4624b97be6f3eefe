import { expect, test } from "bun:test";
import { ConfigError } from "../lib/errors.ts";
import { parseBindAddress } from "./bind-address.ts";
import { serveHttp } from "./serve.ts";

const app = { fetch: (request: Request) => new Response(new URL(request.url).pathname) };

async function pathOverSocket(url: string): Promise<string> {
  return (await fetch(new URL("/path", url), { signal: AbortSignal.timeout(2000) })).text();
}

test.each([
  [":9177", { port: 9177 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["[::]:9177", { host: "::", port: 9177 }],
  ["localhost:80", { host: "localhost", port: 80 }],
])("parseBindAddress() reads %s", (text, expected) => {
  expect(parseBindAddress(text)).toEqual(expected);
});

test.each(["9177", "", "::1:9177", "host:99999", "[nope]:1", "host:http"])(
  "parseBindAddress() refuses %p and names the flag",
  (text) => {
    expect(() => parseBindAddress(text)).toThrow(ConfigError);
    expect(() => parseBindAddress(text)).toThrow("--bind-address: ");
  },
);

test("serveHttp() answers over a real socket on the port that the kernel chose", async () => {
  await using server = serveHttp(app, "127.0.0.1:0");
  expect(server.port).toBeGreaterThan(0);
  expect(await pathOverSocket(server.url)).toBe("/path");
});

test("serveHttp() answers IPv4 clients when no host is given", async () => {
  await using server = serveHttp(app, ":0");
  expect(await pathOverSocket(`http://127.0.0.1:${server.port}/`)).toBe("/path");
});

test("serveHttp() says that the port is in use when it is", async () => {
  await using first = serveHttp(app, "127.0.0.1:0");
  const second = () => serveHttp(app, `127.0.0.1:${first.port}`);
  expect(second).toThrow(ConfigError);
  expect(second).toThrow(`port ${first.port} is in use`);
});

test("serveHttp() names the address when it is not of this host", () => {
  expect(() => serveHttp(app, "192.0.2.1:0")).toThrow("cannot listen on 192.0.2.1:0");
});

test("serveHttp() frees the port when disposed", async () => {
  let port: number;
  {
    await using server = serveHttp(app, "127.0.0.1:0");
    port = server.port;
  }
  await using again = serveHttp(app, `127.0.0.1:${port}`);
  expect(again.port).toBe(port);
});
