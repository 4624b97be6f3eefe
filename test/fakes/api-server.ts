/**
 * A small API server with state, over real HTTPS: ResourceSlices, ResourceClaims, DeviceClasses, RuntimeClasses, pods,
 * nodes and events, with resource versions, conflicts, selectors, watches with bookmarks, the validation of slices and of
 * claims' `status.devices`, and server-side apply of those.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { AppliedDevices, validateDevices } from "./claim-status.ts";
import { ObjectStore, type Stored, type StoreEvent } from "./object-store.ts";
import { validateSlice } from "./slice-validation.ts";
import type { KeyPair } from "./tls-kit.ts";

const COLLECTION =
  /^(\/api\/v1\/(?:nodes|namespaces\/[^/]+\/(?:pods|events))|\/apis\/resource\.k8s\.io\/v1\/(?:resourceslices|deviceclasses|namespaces\/[^/]+\/resourceclaims)|\/apis\/node\.k8s\.io\/v1\/runtimeclasses)(?:\/([^/]+))?(?:\/(status))?$/;
const KINDS: Readonly<Record<string, readonly [apiVersion: string, kind: string]>> = {
  nodes: ["v1", "Node"],
  pods: ["v1", "Pod"],
  events: ["v1", "Event"],
  resourceslices: ["resource.k8s.io/v1", "ResourceSlice"],
  resourceclaims: ["resource.k8s.io/v1", "ResourceClaim"],
  deviceclasses: ["resource.k8s.io/v1", "DeviceClass"],
  runtimeclasses: ["node.k8s.io/v1", "RuntimeClass"],
};
const FIELD_SELECTORS: Readonly<Record<string, readonly string[]>> = {
  resourceslices: ["metadata.name", "spec.nodeName", "spec.driver"],
  pods: ["metadata.name", "metadata.namespace", "spec.nodeName"],
};
export const SLICES = "/apis/resource.k8s.io/v1/resourceslices";
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

export interface ApiServerOptions {
  readonly serving: KeyPair;
  /** When given, every client must show a certificate of this authority. */
  readonly clientAuthority?: KeyPair;
  /** Bearer tokens that are accepted; undefined accepts everyone. May be changed later. */
  readonly tokens?: Set<string>;
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly userAgent: string | undefined;
}

/** An answer to give in place of the real one. */
export interface Canned {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

class Answer extends Error {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, reason: string, message: string, causes: unknown = []) {
    super(message);
    this.status = status;
    this.body = {
      kind: "Status",
      apiVersion: "v1",
      status: "Failure",
      message,
      reason,
      code: status,
      details: { causes },
    };
  }
}

export class FakeApiServer implements AsyncDisposable {
  readonly store = new ObjectStore();
  /** Every request so far. */
  readonly seen: Seen[] = [];
  /** Answers instead of the real handler when it returns something. */
  intercept: (seen: Seen) => Canned | undefined = () => undefined;
  /** What a server with feature gates off does to an object before it stores it. */
  strip: (object: Stored) => Stored = (object) => object;
  /** Rules of its own beside the API's, for slices. */
  validate: (slice: Stored) => { readonly field: string; readonly message: string }[] = () => [];
  readonly #options: ApiServerOptions;
  readonly #server: Server;
  readonly #watches = new Set<ServerResponse>();
  readonly #appliedDevices = new AppliedDevices();
  #portAway = 0;

  private constructor(options: ApiServerOptions) {
    this.#options = options;
    const { serving, clientAuthority } = options;
    this.#server = createServer(
      {
        key: serving.key,
        cert: serving.cert,
        ...(clientAuthority === undefined
          ? {}
          : { ca: clientAuthority.cert, requestCert: true, rejectUnauthorized: true }),
      },
      (request, response) => void this.#handle(request, response),
    );
  }

  static async start(options: ApiServerOptions, port = 0): Promise<FakeApiServer> {
    const server = new FakeApiServer(options);
    await new Promise<void>((resolve) => server.#server.listen(port, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Requests that change something. */
  get writes(): Seen[] {
    return this.seen.filter((seen) => seen.method !== "GET");
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  /** Breaks every open watch in the middle of the stream. */
  cutWatches(): void {
    for (const watch of this.#watches) watch.socket?.destroy();
    this.#watches.clear();
  }

  /** Sends the version that each watch has reached, as a real server does about once a minute. */
  sendBookmarks(): void {
    for (const watch of this.#watches)
      writeLine(watch, "BOOKMARK", { metadata: { resourceVersion: String(this.store.version) } });
  }

  /** Nobody listens on the port until comeBack(). What is stored stays. */
  async goAway(): Promise<void> {
    this.#portAway = this.port;
    await this[Symbol.asyncDispose]();
  }

  async comeBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#portAway, "127.0.0.1", resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutWatches();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "https://server");
    const seen: Seen = {
      method: request.method ?? "GET",
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      authorization: request.headers.authorization,
      contentType: request.headers["content-type"],
      userAgent: request.headers["user-agent"],
    };
    this.seen.push(seen);
    try {
      const canned = this.intercept(seen);
      if (canned !== undefined) return send(response, canned.status, canned.body ?? {}, canned.headers);
      this.#authenticate(seen);
      const [, collection = "", name, subresource] = COLLECTION.exec(seen.path) ?? [];
      if (collection === "") throw new Answer(404, "NotFound", "the server could not find the requested resource");
      if (seen.method === "GET" && seen.query["watch"] === "true") return this.#watch(collection, seen, response);
      const body = await bodyOf(request);
      send(response, seen.method === "POST" ? 201 : 200, this.#act(collection, name, subresource, seen, body));
    } catch (error) {
      if (error instanceof Answer) return send(response, error.status, error.body);
      send(response, 500, { message: String(error), reason: "InternalError", code: 500 });
    }
  }

  #authenticate(seen: Seen): void {
    const { tokens } = this.#options;
    if (tokens === undefined) return;
    const token = /^Bearer (.*)$/.exec(seen.authorization ?? "")?.[1];
    if (token === undefined || !tokens.has(token)) throw new Answer(401, "Unauthorized", "Unauthorized");
  }

  #act(
    collection: string,
    name: string | undefined,
    subresource: string | undefined,
    seen: Seen,
    body: unknown,
  ): unknown {
    const selected = selector(collection, seen.query);
    if (name === undefined) {
      if (seen.method === "GET") return this.#list(collection, selected);
      if (seen.method === "POST") return this.#create(collection, body as Stored);
      if (seen.method !== "DELETE") throw new Answer(405, "MethodNotAllowed", "method not allowed");
      for (const object of this.store.list(collection).filter(selected))
        this.store.remove(collection, object.metadata.name ?? "");
      return { kind: "Status", status: "Success" };
    }
    const old = this.store.get(`${collection}/${name}`);
    if (old === undefined) throw new Answer(404, "NotFound", `${plural(collection)} "${name}" not found`);
    if (seen.method === "GET") return old;
    if (seen.method === "PUT") return this.#replace(collection, old, body as Stored);
    if (seen.method === "PATCH" && seen.contentType === "application/apply-patch+yaml") {
      if (
        plural(collection) !== "resourceclaims" ||
        subresource !== "status" ||
        seen.query["fieldManager"] === undefined
      )
        throw new Answer(400, "BadRequest", "only the status of claims is applied here, by a fieldManager");
      return this.#replace(
        collection,
        old,
        this.#appliedDevices.apply(old, body as Stored, seen.query["fieldManager"]),
      );
    }
    if (seen.method === "PATCH") {
      const merged = merge(old, subresource === "status" ? { status: (body as Stored).status } : body) as Stored;
      return this.#replace(collection, old, merged);
    }
    if (seen.method !== "DELETE") throw new Answer(405, "MethodNotAllowed", "method not allowed");
    const { preconditions } = (body ?? {}) as { preconditions?: { uid?: string; resourceVersion?: string } };
    for (const field of ["uid", "resourceVersion"] as const)
      if (preconditions?.[field] !== undefined && preconditions[field] !== old.metadata[field])
        throw new Answer(409, "Conflict", `Precondition failed: ${field} in precondition: ${preconditions[field]}`);
    return this.store.remove(collection, name);
  }

  #list(collection: string, selected: (object: Stored) => boolean): unknown {
    const items = this.store.list(collection).filter(selected);
    return { kind: `${kindOf(collection)[1]}List`, metadata: { resourceVersion: String(this.store.version) }, items };
  }

  #create(collection: string, body: Stored): Stored {
    const object = this.#checked(collection, body);
    if (object.metadata.resourceVersion !== undefined)
      throw new Answer(400, "BadRequest", "resourceVersion should not be set on objects to be created");
    object.metadata.name ??= generatedName(object.metadata.generateName);
    if (this.store.get(`${collection}/${object.metadata.name}`) !== undefined)
      throw new Answer(409, "AlreadyExists", `${plural(collection)} "${object.metadata.name}" already exists`);
    return this.store.add(collection, object);
  }

  #replace(collection: string, old: Stored, body: Stored): Stored {
    const { uid, resourceVersion } = body.metadata;
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
      throw new Answer(
        409,
        "Conflict",
        `Operation cannot be fulfilled on "${old.metadata.name}": the object has been modified`,
      );
    if (uid !== undefined && uid !== old.metadata.uid) throw new Answer(409, "Conflict", "Precondition failed: UID");
    return this.store.replace(collection, this.#checked(collection, body, old));
  }

  #checked(collection: string, body: Stored, old?: Stored): Stored {
    const [apiVersion, kind] = kindOf(collection);
    if (body.apiVersion !== apiVersion || body.kind !== kind)
      throw new Answer(400, "BadRequest", `${body.apiVersion}/${body.kind} cannot be handled as a ${kind}`);
    const causes =
      kind === "ResourceSlice"
        ? [...validateSlice(body, old), ...this.validate(body)]
        : kind === "ResourceClaim"
          ? validateDevices(body)
          : [];
    if (causes.length > 0) {
      const text = causes.map((cause) => `${cause.field}: ${cause.message}`).join(", ");
      throw new Answer(422, "Invalid", `${kind} "${body.metadata.name ?? ""}" is invalid: ${text}`, causes);
    }
    return this.strip(structuredClone(body));
  }

  #watch(collection: string, seen: Seen, response: ServerResponse): void {
    const selected = selector(collection, seen.query);
    response.writeHead(200, { "content-type": "application/json" });
    const missed = this.store.since(Number(seen.query["resourceVersion"]));
    if (missed === undefined) {
      const gone = new Answer(410, "Expired", `too old resource version: ${seen.query["resourceVersion"]}`);
      writeLine(response, "ERROR", gone.body);
      response.end();
      return;
    }
    const show = (event: StoreEvent) => {
      if (event.collection === collection && selected(event.object)) writeLine(response, event.type, event.object);
    };
    response.flushHeaders();
    missed.forEach(show);
    const deaf = this.store.listen(show);
    this.#watches.add(response);
    response.on("close", () => {
      deaf();
      this.#watches.delete(response);
    });
  }
}

function plural(collection: string): string {
  return collection.slice(collection.lastIndexOf("/") + 1);
}

function kindOf(collection: string): readonly [string, string] {
  const kind = KINDS[plural(collection)];
  if (kind === undefined) throw new Answer(404, "NotFound", `no kind for ${collection}`);
  return kind;
}

/** As the server's simple name generator: at most 58 characters of the base, then five random ones. */
function generatedName(base: string | undefined): string {
  if (base === undefined)
    throw new Answer(422, "Invalid", "metadata.name: Required value: name or generateName is required");
  const random = crypto.getRandomValues(new Uint8Array(5));
  return base.slice(0, 58) + Array.from(random, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

function selector(collection: string, query: Readonly<Record<string, string>>): (object: Stored) => boolean {
  const wanted = parseSelector(query["fieldSelector"]);
  for (const [field] of wanted)
    if (!(FIELD_SELECTORS[plural(collection)] ?? ["metadata.name"]).includes(field))
      throw new Answer(400, "BadRequest", `field label not supported: ${field}`);
  const labels = parseSelector(query["labelSelector"]);
  return (object) =>
    wanted.every(([field, value]) => String(fieldOf(object, field) ?? "") === value) &&
    labels.every(([label, value]) => object.metadata.labels?.[label] === value);
}

function parseSelector(text = ""): [string, string][] {
  return text
    .split(",")
    .filter((term) => term !== "")
    .map((term) => {
      const [name = "", value = ""] = term.split(/==?/);
      return [name, value];
    });
}

function fieldOf(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);
}

/** JSON merge patch, RFC 7386. */
function merge(old: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = { ...(typeof old === "object" && old !== null ? old : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (value !== undefined) merged[key] = merge(merged[key], value);
  }
  return merged;
}

function writeLine(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}
