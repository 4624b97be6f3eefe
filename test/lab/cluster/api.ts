/** A small client of the cluster's API server, for what `kubectl` is too slow for. The product's own client has no part. */
import { readFileSync } from "node:fs";
import { keyPair } from "./certificates.ts";

const CALL_LIMIT_MS = 20_000;

export interface ApiCall {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly body?: unknown;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class ApiClient {
  readonly #server: string;
  readonly #tls: { readonly ca: string; readonly cert: string; readonly key: string };

  /** As the administrator. */
  constructor(server: string, pki: string) {
    const client = keyPair(pki, "admin");
    this.#server = server;
    this.#tls = {
      ca: readFileSync(keyPair(pki, "ca").cert, "utf8"),
      cert: readFileSync(client.cert, "utf8"),
      key: readFileSync(client.key, "utf8"),
    };
  }

  /** The answer's JSON. Throws ApiError on any status but 2xx, with what the server says. */
  async json<T>(path: string, call: ApiCall = {}): Promise<T> {
    return JSON.parse(await this.text(path, call)) as T;
  }

  /** `/readyz`, `/metrics`. */
  async text(path: string, call: ApiCall = {}): Promise<string> {
    const { method = "GET", body, contentType = "application/json", headers } = call;
    const response = await fetch(`${this.#server}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "Content-Type": contentType }) },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
      tls: this.#tls,
    });
    const text = await response.text();
    if (!response.ok) throw new ApiError(response.status, `${method} ${path}: ${response.status} ${text.trim()}`);
    return text;
  }

  /** A watch: lines of JSON until the server or `signal` ends it. */
  async stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await fetch(`${this.#server}${path}`, { signal, tls: this.#tls });
    if (!response.ok || response.body === null) throw new ApiError(response.status, `GET ${path}: ${response.status}`);
    return response.body;
  }

  /** False also while nothing answers. */
  async isReady(): Promise<boolean> {
    try {
      return (await this.text("/readyz")).trim() === "ok";
    } catch {
      return false; // refused, reset, not yet ready: all the same to one who waits
    }
  }
}
