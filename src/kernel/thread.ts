/** One kernel Worker, as the main thread sees it. */

import { asError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Kernel } from "./calls.ts";
import { type CallName, type FromWorker, fromPlainError, type ToWorker } from "./messages.ts";

/** A move that is under way takes tens of milliseconds; a Worker that does not say goodbye by then is stuck. */
const CLOSE_LIMIT_MS = 5_000;

/** Every call of KernelCalls: the type makes a missing one an error. */
const CALLS: Readonly<Record<CallName, true>> = {
  scan: true,
  holdNetns: true,
  listLinks: true,
  listAddresses: true,
  readNamespace: true,
  listRules: true,
  snapshotLink: true,
  moveLink: true,
  applySteps: true,
  clearLink: true,
  openDhcpSocket: true,
  createLink: true,
  deleteLink: true,
  readRdma: true,
  rdmaNodes: true,
  canMoveRdma: true,
  moveRdma: true,
  renameRdma: true,
  addRdmaLink: true,
  deleteRdmaLink: true,
  readFunction: true,
  bindDriver: true,
  readAddressKind: true,
  readVf: true,
  setVf: true,
  setNumVfs: true,
  readCharDevice: true,
};

/** The kernel may hold a call up for long (a lock, a driver); beyond this the thread is stuck. */
const BUSY_LIMIT_MS = 60_000;

interface Pending {
  readonly sinceMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

export interface KernelThreadOptions {
  /** For log lines and errors. */
  readonly name: string;
  readonly worker: Worker;
  readonly procRoot: string;
  readonly log: Logger;
  readonly onChange: () => void;
}

export class KernelThread implements AsyncDisposable {
  readonly kernel: Kernel;
  readonly #options: KernelThreadOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #died = Promise.withResolvers<never>();
  readonly #closed = Promise.withResolvers<void>();
  #pongs: (() => void)[] = [];
  #lastId = 0;
  #dead: Error | undefined;

  constructor(options: KernelThreadOptions) {
    this.#options = options;
    const { worker, procRoot } = options;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => this.#die(`failed: ${event.message}`, asError(event.error ?? event.message));
    worker.addEventListener("close", () => this.#die("ended"));
    this.#post({ kind: "useProcRoot", procRoot });
    for (const promise of [this.#ready.promise, this.#died.promise]) promise.catch(asError);
    const calls = (Object.keys(CALLS) as CallName[]).map((call) => {
      return [call, (request: unknown, signal?: AbortSignal) => this.#call(call, request, signal)] as const;
    });
    // Built from CALLS, whose type holds every name; requests and answers are typed at the call.
    this.kernel = Object.fromEntries(calls) as unknown as Kernel;
  }

  /** Resolves when the Worker has loaded what it needs; rejects when it cannot. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Rejects when the Worker ends without having been asked to. */
  get died(): Promise<never> {
    return this.#died.promise;
  }

  /** Resolves when the Worker answers, or is within a call that has not lasted too long; rejects when `signal` aborts. */
  async checkAlive(signal: AbortSignal): Promise<void> {
    if (this.#dead !== undefined) throw this.#dead;
    const [oldest] = this.#pending.values();
    if (oldest !== undefined && performance.now() - oldest.sinceMs < BUSY_LIMIT_MS) return;
    const answered = Promise.withResolvers<void>();
    const onAbort = () =>
      answered.reject(new Error(`The ${this.#options.name} kernel Worker does not answer.`, { cause: signal.reason }));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#pongs.push(answered.resolve);
    this.#post({ kind: "ping" });
    await answered.promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  /** From now on `onChange` is called. */
  watch(): void {
    this.#post({ kind: "watch" });
  }

  /** After the calls that were made before. */
  shrink(): void {
    this.#post({ kind: "shrink" });
  }

  /** Lets the calls that were made before finish, and ends the Worker. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#dead === undefined) {
      this.#post({ kind: "close" });
      this.#dead = new Error(`The ${this.#options.name} kernel Worker was closed.`);
      const limit = Promise.withResolvers<void>();
      const timer = setTimeout(limit.resolve, CLOSE_LIMIT_MS);
      await Promise.race([this.#closed.promise, limit.promise]);
      clearTimeout(timer);
      this.#rejectAll(this.#dead);
    }
    this.#options.worker.terminate();
  }

  /** When `signal` aborts the caller is free at once; the Worker finishes, and nobody hears the answer. */
  #call(call: CallName, request: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = ++this.#lastId;
    const onAbort = () => {
      this.#pending.delete(id);
      reject(signal?.reason);
    };
    const settled = <T>(settle: (value: T) => void) => {
      return (value: T) => {
        signal?.removeEventListener("abort", onAbort);
        settle(value);
      };
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#pending.set(id, { sinceMs: performance.now(), resolve: settled(resolve), reject: settled(reject) });
    this.#post({ kind: "call", id, call, request });
    return promise;
  }

  #receive(message: FromWorker): void {
    const { name, log, onChange } = this.#options;
    switch (message.kind) {
      case "ready":
        this.#ready.resolve();
        break;
      case "unable":
        this.#die("cannot start", fromPlainError(message.error));
        break;
      case "answer":
        this.#take(message.id)?.resolve(message.json === undefined ? undefined : JSON.parse(message.json));
        break;
      case "failure":
        this.#take(message.id)?.reject(fromPlainError(message.error));
        break;
      case "pong":
        this.#pongs.shift()?.();
        break;
      case "changed":
        onChange();
        break;
      case "watchFailed":
        log.warn("link events cannot be watched now", { worker: name, error: fromPlainError(message.error) });
        break;
      case "forgotten":
        log.error("native handle was never released", { worker: name, report: message.report });
        break;
      case "closed":
        this.#closed.resolve();
        break;
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #die(what: string, cause?: Error): void {
    this.#closed.resolve();
    if (this.#dead !== undefined) return;
    this.#dead = new Error(`The ${this.#options.name} kernel Worker ${what}; netferry has to be started anew.`, {
      cause,
    });
    this.#ready.reject(this.#dead);
    this.#died.reject(this.#dead);
    this.#rejectAll(this.#dead);
  }

  #rejectAll(reason: Error): void {
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  #post(message: ToWorker): void {
    this.#options.worker.postMessage(message);
  }
}
