/** A cloud's metadata service: GET by path, with the headers that it wants and the session that it may want. */

import { type Answer, type Endpoint, ExchangeError, exchange, nameQuestion } from "./exchange.ts";

/** Metadata of a host with a hundred interfaces have tens of kilobytes. */
const MAX_BYTES = 1 << 20;
const REQUEST_LIMIT_MS = 5_000;

export interface MetadataService {
  /** Where it is when no option says otherwise. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A token that a PUT gives; where it is refused, the service answers without. */
  readonly session?: { readonly path: string; readonly lifetimeHeader: string; readonly tokenHeader: string };
}

/** Seconds. The agent asks at its start and seldom again: each time it takes a new token. */
const SESSION_LIFETIME = "300";

export class Metadata {
  readonly #service: MetadataService;
  readonly #endpoint: Endpoint;
  readonly #limitMs: number;
  readonly #signal: AbortSignal;
  #session: Promise<Readonly<Record<string, string>>> | undefined;

  constructor(
    service: MetadataService,
    options: { readonly endpoint?: string | undefined; readonly limitMs?: number; readonly signal: AbortSignal },
  ) {
    this.#service = service;
    this.#endpoint = { url: options.endpoint ?? service.endpoint };
    this.#limitMs = options.limitMs ?? REQUEST_LIMIT_MS;
    this.#signal = options.signal;
  }

  async ask(path: string): Promise<Answer> {
    this.#session ??= this.#startSession();
    return await this.#exchange("GET", path, { ...this.#service.headers, ...(await this.#session) });
  }

  /** Rejects unless the answer is 200. */
  async text(path: string): Promise<string> {
    const answer = await this.ask(path);
    if (answer.status !== 200) throw this.#refused(path, answer.status);
    return answer.text.trim();
  }

  /** `undefined` for 404: the host has no such thing. */
  async textIfAny(path: string): Promise<string | undefined> {
    const answer = await this.ask(path);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw this.#refused(path, answer.status);
    return answer.text.trim();
  }

  /** The JSON at `path`, read by `parse`, which throws for what it cannot take. */
  async json<T>(path: string, parse: (value: unknown) => T): Promise<T> {
    return this.#parse(path, await this.text(path), parse);
  }

  /** The same; `undefined` for 404. */
  async jsonIfAny<T>(path: string, parse: (value: unknown) => T): Promise<T | undefined> {
    const text = await this.textIfAny(path);
    return text === undefined ? undefined : this.#parse(path, text, parse);
  }

  #parse<T>(path: string, text: string, parse: (value: unknown) => T): T {
    try {
      return parse(JSON.parse(text));
    } catch (cause) {
      const named = nameQuestion(this.#endpoint, { method: "GET", path });
      throw new ExchangeError("wrong", `${named}: the answer is not what this cloud documents`, { cause });
    }
  }

  async #startSession(): Promise<Readonly<Record<string, string>>> {
    const { session } = this.#service;
    if (session === undefined) return {};
    const { status, text } = await this.#exchange("PUT", session.path, { [session.lifetimeHeader]: SESSION_LIFETIME });
    return status === 200 && text.trim() !== "" ? { [session.tokenHeader]: text.trim() } : {};
  }

  #exchange(method: "GET" | "PUT", path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const question = { method, path, headers, limitMs: this.#limitMs, maxBytes: MAX_BYTES };
    return exchange(this.#endpoint, question, this.#signal);
  }

  #refused(path: string, status: number): ExchangeError {
    return new ExchangeError("wrong", `${nameQuestion(this.#endpoint, { method: "GET", path })} answered ${status}`);
  }
}
