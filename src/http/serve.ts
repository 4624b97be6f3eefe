import { ConfigError } from "../lib/errors.ts";
import { parseBindAddress } from "./bind-address.ts";

/** What is served: a Hono app, or anything that answers a request. */
interface App {
  fetch(request: Request): Response | Promise<Response>;
}

export interface HttpServer extends AsyncDisposable {
  /** `http://127.0.0.1:9177/`, with the port that was really taken. */
  readonly url: string;
  readonly port: number;
}

/** Listens until disposed; requests under way are answered first. Throws ConfigError when the address cannot be used. */
export function serveHttp(app: App, bindAddress: string): HttpServer {
  const { host, port } = parseBindAddress(bindAddress);
  const server = host === undefined ? listenEverywhere(app, port, bindAddress) : listen(app, host, port, bindAddress);
  return {
    url: server.url.href,
    port: server.port ?? port,
    async [Symbol.asyncDispose]() {
      await server.stop();
    },
  };
}

/** `::` takes IPv4 too. A kernel booted with `ipv6.disable=1` has no such address, so IPv4 alone is the second try. */
function listenEverywhere(app: App, port: number, bindAddress: string) {
  try {
    return listen(app, "::", port, bindAddress);
  } catch (error) {
    if (error instanceof ConfigError && codeOf(error.cause) === "EADDRINUSE") throw error;
    return listen(app, "0.0.0.0", port, bindAddress);
  }
}

function listen(app: App, hostname: string, port: number, bindAddress: string) {
  try {
    return Bun.serve({
      hostname,
      port,
      development: false,
      reusePort: false, // Bun shares the port without a word when this is left out and development is false
      maxRequestBodySize: 0,
      fetch: (request) => app.fetch(request),
    });
  } catch (cause) {
    const code = codeOf(cause);
    const problem =
      code === "EADDRINUSE"
        ? `port ${port} is in use; stop the other process or choose another port`
        : `cannot listen on ${bindAddress} (${code ?? String(cause)}); choose an address of this host`;
    throw new ConfigError("--bind-address", problem, { cause });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
