/**
 * One exchange with the API server, on Bun's fetch: the library's own transport sets TLS options that Bun ignores,
 * so it neither trusts a private CA nor sends client certificates.
 */

import type { Access, Credentials } from "./credentials.ts";
import { errorFromAnswer, KubeError } from "./kube-error.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Exchange {
  readonly method: Method;
  /** `/apis/resource.k8s.io/v1/resourceslices` */
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** Of the body; JSON unless told. */
  readonly contentType?: string;
}

/** Sends once and returns a 2xx answer; throws KubeError or ConflictError for anything else. */
export async function exchange(
  credentials: Credentials,
  what: Exchange,
  userAgent: string,
  signal: AbortSignal,
): Promise<Response> {
  const request = `${what.method} ${what.path}`;
  const access = await accessWithin(credentials, request, signal);
  const response = await reach(credentials, what, userAgent, access, signal);
  if (response.ok) return response;
  if (response.status === 401) credentials.refresh();
  throw new Refused(
    response.status,
    retryAfterMs(response),
    errorFromAnswer(response.status, await textOf(response), request),
  );
}

/** An answer that is not 2xx, with what decides about another try. */
export class Refused extends Error {
  readonly status: number;
  /** The server's Retry-After; undefined when it did not ask for another try. */
  readonly retryAfterMs: number | undefined;
  /** What the caller gets if nothing else helps. */
  readonly error: Error;

  constructor(status: number, retryAfter: number | undefined, error: Error) {
    super(error.message);
    this.status = status;
    this.retryAfterMs = retryAfter;
    this.error = error;
  }
}

async function accessWithin(credentials: Credentials, request: string, signal: AbortSignal): Promise<Access> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    // An exec plugin may wait for ever, for instance for a password.
    return await Promise.race([credentials.access(signal), aborted.promise]);
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new KubeError({ status: 0, reason: "NoCredentials", request }, `${request} was not sent`, { cause });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function reach(
  credentials: Credentials,
  what: Exchange,
  userAgent: string,
  access: Access,
  signal: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(`${credentials.server}${what.path}${searchOf(what.query)}`, {
      method: what.method,
      headers: {
        ...access.headers,
        accept: "application/json",
        "user-agent": userAgent,
        ...(what.body === undefined ? {} : { "content-type": what.contentType ?? "application/json" }),
      },
      ...(what.body === undefined ? {} : { body: JSON.stringify(what.body) }),
      ...(access.proxy === undefined ? {} : { proxy: access.proxy }),
      tls: access.tls,
      redirect: "manual", // the API server redirects nothing, and the token must not follow
      signal,
      timeout: false, // our own limit is the signal; Bun's would end quiet watches
    } as BunFetchRequestInit);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw unreachable(credentials, `${what.method} ${what.path}`, cause);
  }
}

function searchOf(query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? "" : `?${search}`;
}

/** A failure without an answer. TLS failures are told apart, since a retry does not mend them. */
function unreachable(credentials: Credentials, request: string, cause: unknown): KubeError {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
  if (/CERT|ISSUER|VERIFY|TLS|SSL/.test(code))
    return new KubeError(
      { status: 0, reason: "Untrusted", request },
      `${request}: no trusted TLS connection to ${credentials.server} (${code}): compare the server's certificate with ${credentials.source}`,
      { cause },
    );
  return new KubeError(
    { status: 0, reason: "Unreachable", request },
    `${request}: cannot reach ${credentials.server}`,
    {
      cause,
    },
  );
}

/** Seconds only: the API server sends no dates here. */
function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

/** An error's body is wanted for its text only; failing to read it must not hide the status. */
async function textOf(response: Response): Promise<string> {
  return response.text().catch(() => "");
}
