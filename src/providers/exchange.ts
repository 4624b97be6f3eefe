/** One question over HTTP and its whole answer, within limits. */

import { Deadline } from "../lib/deadline.ts";

/** Where a peer is: an http or https URL to which paths are appended, or `unix:///path` of a socket. */
export interface Endpoint {
  readonly url: string;
  /** PEM of the authorities that may have signed the peer's certificate; absent: those that the runtime knows. */
  readonly ca?: string;
}

export interface Question {
  readonly method: "GET" | "POST" | "PUT";
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** From the question to the last byte of the answer. */
  readonly limitMs: number;
  readonly maxBytes: number;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** There is no answer that could be read. The message is a sentence that names the question and the peer. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly reason: "unreachable" | "late" | "oversized" | "wrong";

  constructor(reason: ExchangeError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** `GET /health at unix:///run/webhook.sock` */
export function nameQuestion(endpoint: Endpoint, { method, path }: Pick<Question, "method" | "path">): string {
  return `${method} ${path} at ${endpoint.url}`;
}

/** Any status is an answer; redirects are not followed. Rejects with an ExchangeError, or the signal's reason. */
export async function exchange(endpoint: Endpoint, question: Question, signal: AbortSignal): Promise<Answer> {
  const named = nameQuestion(endpoint, question);
  using deadline = new Deadline(signal, question.limitMs);
  try {
    const response = await ask(endpoint, question, deadline.signal);
    const text = await readText(response, question.maxBytes, named);
    return { status: response.status, headers: Object.fromEntries(response.headers), text };
  } catch (cause) {
    signal.throwIfAborted();
    if (deadline.expired)
      throw new ExchangeError("late", `${named}: no whole answer within ${question.limitMs / 1000} s`);
    if (cause instanceof ExchangeError) throw cause;
    throw new ExchangeError("unreachable", `${named}: no connection, or it broke${codeOf(cause)}`, { cause });
  }
}

function ask({ url, ca }: Endpoint, question: Question, signal: AbortSignal): Promise<Response> {
  const { method, path, headers, body } = question;
  const socket = url.startsWith("unix://") ? url.slice("unix://".length) : undefined;
  const base = socket === undefined ? url.replace(/\/+$/, "") : "http://localhost";
  if (socket === undefined) askDirectly(new URL(url).hostname);
  return fetch(`${base}${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: "manual",
    keepalive: false,
    signal,
    ...(socket === undefined ? {} : { unix: socket }),
    ...(ca === undefined ? {} : { tls: { ca } }),
  });
}

/**
 * Bun's fetch goes by way of the environment's proxy, except to hosts in NO_PROXY, and metadata services must be asked
 * directly. The client of node:http would do that, and costs four megabytes for good.
 */
function askDirectly(hostname: string): void {
  const { env } = process;
  if (["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"].every((name) => !env[name])) return;
  const listed = [env["no_proxy"], env["NO_PROXY"]].flatMap((hosts) => (hosts ?? "").split(","));
  const hosts = [...new Set([...listed, hostname])].filter((host) => host !== "").join(",");
  for (const name of ["no_proxy", "NO_PROXY"]) if (env[name] !== hosts) env[name] = hosts;
}

/** The body is read with an eye on its size: what a peer declares need not be what it sends. */
async function readText(response: Response, maxBytes: number, named: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new ExchangeError("oversized", `${named}: the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? ` (${code})` : "";
}
