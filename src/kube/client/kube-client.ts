/** The API server in five verbs and a watch, by path. */

import { type Clock, systemClock } from "../../lib/clock.ts";
import { Deadline } from "../../lib/deadline.ts";
import { ConfigError, ConflictError, ProtocolError } from "../../lib/errors.ts";
import type { Credentials } from "./credentials.ts";
import { type Exchange, exchange, type Query, Refused } from "./http.ts";
import { JsonLineDecoder } from "./json-lines.ts";
import { errorFromStatus, KubeError } from "./kube-error.ts";
import type { KubeList, KubeObject } from "./wire.ts";

/** Long enough for a loaded server, short enough for Prepare (the kubelet waits 45 s). */
const REQUEST_LIMIT_MS = 20_000;
/** The server sends a bookmark about each minute; a stream that is silent for longer has lost its peer. */
const WATCH_SILENCE_MS = 150_000;
/** As client-go: a server that asks for patience gets it this often. */
const MAX_TRIES = 5;

export interface RequestOptions {
  readonly signal: AbortSignal;
  readonly query?: Query;
  readonly timeoutMs?: number;
  /** Instead of JSON.parse, which of a key that is given twice takes the last. May throw a ConfigError. */
  readonly parse?: (text: string) => unknown;
}

export type PatchType = "apply" | "json" | "merge" | "strategic";

const PATCH_CONTENT: Readonly<Record<PatchType, string>> = {
  apply: "application/apply-patch+yaml", // JSON is YAML
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

/** What a deletion requires of the object, so that its successor of the same name is spared. */
export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly object: KubeObject };

export interface KubeClientOptions {
  readonly credentials: Credentials;
  /** `netferry/0.1.0` */
  readonly userAgent: string;
  readonly clock?: Clock;
  readonly requestLimitMs?: number;
  readonly watchSilenceMs?: number;
}

/** Every method throws KubeError (with the HTTP status), ConflictError for 409, or the signal's reason. */
export class KubeClient {
  readonly #options: KubeClientOptions;
  readonly #clock: Clock;

  constructor(options: KubeClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get server(): string {
    return this.#options.credentials.server;
  }

  get<T>(path: string, options: RequestOptions): Promise<T> {
    return this.#json<T>({ method: "GET", path }, options);
  }

  /** All objects at once; `query` takes fieldSelector and labelSelector. */
  async list<T>(path: string, options: RequestOptions): Promise<KubeList<T>> {
    const list = await this.#json<{ items?: readonly T[] | null; metadata?: { resourceVersion?: string } }>(
      { method: "GET", path },
      options,
    );
    return { items: list.items ?? [], resourceVersion: list.metadata?.resourceVersion ?? "" };
  }

  /** `path` is the collection's. Returns the object as the server stored it. */
  create<T>(path: string, body: T, options: RequestOptions): Promise<T> {
    return this.#json<T>({ method: "POST", path, body }, options);
  }

  /** Replaces the object; with metadata.resourceVersion in the body only if nobody changed it since. */
  update<T>(path: string, body: T, options: RequestOptions): Promise<T> {
    return this.#json<T>({ method: "PUT", path, body }, options);
  }

  /** `query` takes fieldManager and force for type "apply". */
  patch<T>(path: string, type: PatchType, body: unknown, options: RequestOptions): Promise<T> {
    return this.#json<T>({ method: "PATCH", path, body, contentType: PATCH_CONTENT[type] }, options);
  }

  async delete(path: string, options: RequestOptions & { readonly preconditions?: Preconditions }): Promise<void> {
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: options.preconditions };
    await this.#json<unknown>({ method: "DELETE", path, body }, options);
  }

  /**
   * Events after `resourceVersion`, bookmarks included, until the server ends the stream (then it returns) or breaks
   * it (KubeError `Cut`). KubeError with status 410: the version is forgotten, list again.
   */
  async *watch<T extends KubeObject>(
    path: string,
    options: RequestOptions & { readonly resourceVersion: string },
  ): AsyncGenerator<WatchEvent<T>, void> {
    const { resourceVersion, signal } = options;
    const query = { ...options.query, watch: true, allowWatchBookmarks: true, resourceVersion };
    const what: Exchange = { method: "GET", path, query };
    const request = `watch of ${path}`;
    using alive = new Deadline(signal, this.#options.watchSilenceMs ?? WATCH_SILENCE_MS);
    try {
      const response = await this.#send(what, alive.signal);
      const decoder = new JsonLineDecoder();
      for await (const chunk of response.body ?? []) {
        alive.restart();
        for (const line of decoder.push(chunk)) yield eventOf<T>(line, request);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (alive.expired)
        throw new KubeError({ status: 0, reason: "Cut", request }, `${request}: no sign of life from ${this.server}`);
      if (error instanceof Error && PASSED_ON.some((kind) => error instanceof kind)) throw error;
      throw new KubeError({ status: 0, reason: "Cut", request }, `${request}: ${this.server} broke the stream`, {
        cause: error,
      });
    } finally {
      alive.abort(new DOMException("the reader is done", "AbortError")); // frees the connection when we leave early
    }
  }

  async #json<T>(what: Exchange, options: RequestOptions): Promise<T> {
    const limitMs = options.timeoutMs ?? this.#options.requestLimitMs ?? REQUEST_LIMIT_MS;
    const request = `${what.method} ${what.path}`;
    using deadline = new Deadline(options.signal, limitMs);
    try {
      const query = options.query === undefined ? {} : { query: options.query };
      const response = await this.#send({ ...what, ...query }, deadline.signal);
      const { parse = JSON.parse } = options;
      return parse(await response.text()) as T;
    } catch (error) {
      options.signal.throwIfAborted();
      if (deadline.expired)
        throw new KubeError(
          { status: 0, reason: "Timeout", request },
          `${request}: no answer from ${this.server} within ${limitMs / 1000} s`,
        );
      if (error instanceof Error && PASSED_ON.some((kind) => error instanceof kind)) throw error;
      throw new KubeError({ status: 0, reason: "Cut", request }, `${request}: the answer of ${this.server} is broken`, {
        cause: error,
      });
    }
  }

  /** Tries again where that cannot do harm: the server asked for it, or it did not know our token yet. */
  async #send(what: Exchange, signal: AbortSignal): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await exchange(this.#options.credentials, what, this.#options.userAgent, signal);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const patience = error.retryAfterMs !== undefined && (error.status === 429 || error.status >= 500);
        const again = (error.status === 401 && attempt === 1) || (patience && attempt < MAX_TRIES);
        if (!again) throw error.error;
        if (patience) await this.#clock.sleep(error.retryAfterMs ?? 0, signal);
      }
    }
  }
}

/** Errors that already say what a caller needs. */
const PASSED_ON = [KubeError, ConflictError, ConfigError, ProtocolError] as const;

function eventOf<T extends KubeObject>(line: unknown, request: string): WatchEvent<T> {
  if (typeof line !== "object" || line === null || !("type" in line) || !("object" in line))
    throw new ProtocolError(`${request}: the server sent something that is no watch event`);
  const { type, object } = line;
  if (type === "ERROR") throw errorFromStatus(object, request);
  if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED" && type !== "BOOKMARK")
    throw new ProtocolError(`${request}: the server sent the unknown event type ${JSON.stringify(type)}`);
  return { type, object: object as T };
}
