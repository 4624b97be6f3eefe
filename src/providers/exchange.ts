/**
 * One question over HTTP and its whole answer, within limits. By node:http and not by fetch: Bun's fetch goes by way of
 * the proxy of the environment, and metadata services must be asked directly.
 */

import { type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
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
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** There is no answer that could be read. The message is a sentence that names the question and the peer. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly reason: "unreachable" | "late" | "oversized" | "broken";

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
    const text = await readText(response, question.maxBytes, named, deadline.signal);
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  } catch (cause) {
    signal.throwIfAborted();
    if (deadline.expired)
      throw new ExchangeError("late", `${named}: no whole answer within ${question.limitMs / 1000} s`);
    if (cause instanceof ExchangeError) throw cause;
    throw new ExchangeError("unreachable", `${named}: no connection, or it broke${codeOf(cause)}`, { cause });
  }
}

function ask(endpoint: Endpoint, question: Question, signal: AbortSignal): Promise<IncomingMessage> {
  const body = question.body === undefined ? undefined : Buffer.from(JSON.stringify(question.body));
  const options: RequestOptions = {
    ...addressOf(endpoint, question.path),
    method: question.method,
    agent: false,
    headers: {
      ...question.headers,
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": body.length }),
    },
  };
  return new Promise((resolve, reject) => {
    const send = endpoint.url.startsWith("https:") ? requestHttps : requestHttp;
    const request = send(endpoint.ca === undefined ? options : { ...options, ca: endpoint.ca }, resolve);
    const stop = () => {
      request.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    request.on("close", () => signal.removeEventListener("abort", stop));
    request.on("error", reject);
    request.end(body);
  });
}

function addressOf({ url }: Endpoint, path: string): RequestOptions {
  if (url.startsWith("unix://")) return { socketPath: url.slice("unix://".length), path, host: "localhost" };
  const { hostname, port, pathname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return { host, ...(port === "" ? {} : { port }), path: `${pathname.replace(/\/+$/, "")}${path}` };
}

/** The body is read with an eye on its size: what a peer declares need not be what it sends. */
async function readText(
  response: IncomingMessage,
  maxBytes: number,
  named: string,
  signal: AbortSignal,
): Promise<string> {
  const stop = () => response.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new ExchangeError("oversized", `${named}: the answer is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    signal.throwIfAborted();
    if (!response.complete) throw new ExchangeError("broken", `${named}: the connection broke within the answer`);
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    signal.removeEventListener("abort", stop);
    if (!response.complete) response.destroy();
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? ` (${code})` : "";
}
