/** The connection to the runtime, made again whenever it is lost: restarts of the runtime are routine. */
import { type Clock, systemClock } from "../lib/clock.ts";
import { describeError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { type Backoff, backoffDelayMs } from "../lib/retry.ts";
import { Runtime } from "../proto/gen/nri/api_pb.ts";
import { TtrpcClient } from "../ttrpc/client.ts";
import { TtrpcServer } from "../ttrpc/server.ts";
import type { RuntimeInfo, SandboxHandlers } from "./handlers.ts";
import { MAX_MESSAGE_BYTES, PLUGIN_SERVICE, RUNTIME_SERVICE } from "./mux.ts";
import { MuxConnection } from "./mux-connection.ts";
import { type HookRecord, NriPlugin } from "./plugin.ts";
import { connectRuntime, type RuntimeAddress } from "./socket.ts";

/** Called in the order of the index: ours attaches devices, so whoever looks at them comes later. */
const PLUGIN_INDEX = "00";
const RECONNECT: Backoff = { firstMs: 100, limitMs: 5_000, jitter: 0.5 };
const CONNECT_TIMEOUT_MS = 5_000;
/** The runtime takes plugins one by one and waits 5 s for one that stays silent: leave room for a few of those. */
const REGISTER_TIMEOUT_MS = 30_000;
/** Hooks are answered within their budgets; this only bounds a closing that goes wrong. */
const DRAIN_LIMIT_MS = 5_000;

export interface NriState {
  readonly connected: boolean;
  /** The runtime has accepted the name. */
  readonly registered: boolean;
  /** The handlers have taken in what the runtime listed: events follow. */
  readonly synchronised: boolean;
  /** What Configure told; undefined before. */
  readonly runtime: RuntimeInfo | undefined;
}

export interface NriSessionOptions {
  readonly address: RuntimeAddress;
  /** The driver's name. */
  readonly pluginName: string;
  readonly handlers: SandboxHandlers;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly onHook?: (record: HookRecord) => void;
  readonly onState?: (state: NriState) => void;
}

/** The handlers could not take in the snapshot. The wait that this calls for has been done on the connection. */
class SnapshotError extends Error {
  override readonly name = "SnapshotError";
}

const DISCONNECTED: NriState = { connected: false, registered: false, synchronised: false, runtime: undefined };

export class NriSession implements AsyncDisposable {
  readonly #options: NriSessionOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #state: NriState = DISCONNECTED;
  #plugin: NriPlugin | undefined;
  #failures = 0; // in a row
  #lastReason: string | undefined; // of a failure, since the last success

  /** Starts to connect; `state` tells how far it is. */
  constructor(options: NriSessionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#running = this.#run(this.#stop.signal);
  }

  get state(): NriState {
    return this.#state;
  }

  /** Resolves when the session is over: it was disposed, or the runtime that launched us has hung up. Never rejects. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** Lets the hooks in flight be answered, then hangs up. */
  async [Symbol.asyncDispose](): Promise<void> {
    const limit = new AbortController();
    await Promise.race([
      this.#plugin?.drained(),
      this.#clock.sleep(DRAIN_LIMIT_MS, limit.signal).catch(() => undefined),
    ]);
    limit.abort();
    this.#stop.abort(new Error("the session is closed"));
    await this.#running;
  }

  async #run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        await this.#connectOnce(stop);
      } catch (error) {
        if (stop.aborted) break;
        this.#logFailure(error);
        if ("fd" in this.#options.address) break; // the socket that we were given does not come back
        if (error instanceof SnapshotError) continue;
      }
      await this.#pause(stop);
    }
  }

  /** The wait before the next try, which grows with each failure in a row. */
  async #pause(until: AbortSignal): Promise<void> {
    const delayMs = backoffDelayMs(RECONNECT, this.#failures++);
    await this.#clock.sleep(delayMs, until).catch(() => undefined); // aborted: the caller looks at the signal
  }

  /** One connection, from connecting to hanging up. Rejects when it ends for any reason. */
  async #connectOnce(stop: AbortSignal): Promise<never> {
    const { address, handlers, log } = this.#options;
    const connecting = AbortSignal.any([stop, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
    const mux = new MuxConnection(await connectRuntime(address, connecting));
    const onStop = () => mux.close();
    stop.addEventListener("abort", onStop, { once: true });
    const gone = new AbortController();
    this.#setState({ connected: true });
    try {
      const plugin = new NriPlugin({
        handlers,
        log,
        clock: this.#clock,
        onHook: this.#options.onHook,
        onConfigured: (runtime) => this.#setState({ runtime }),
      });
      this.#plugin = plugin;
      const limits = { maxSendBytes: MAX_MESSAGE_BYTES };
      // Configure may come before the answer to RegisterPlugin: serve first.
      new TtrpcServer(mux.channel(PLUGIN_SERVICE), plugin.router, limits);
      const runtime = new TtrpcClient(mux.channel(RUNTIME_SERVICE), limits);
      mux.start();
      const lost = mux.closed.then((cause) => {
        throw new Error("the connection to the runtime is lost", { cause });
      });
      await Promise.race([this.#register(runtime, plugin, gone.signal), lost]);
      return await lost;
    } finally {
      gone.abort(new Error("the connection to the runtime is lost"));
      stop.removeEventListener("abort", onStop);
      mux.close();
      this.#plugin = undefined;
      this.#state = DISCONNECTED;
      this.#options.onState?.(DISCONNECTED);
      handlers.disconnected();
    }
  }

  async #register(runtime: TtrpcClient, plugin: NriPlugin, gone: AbortSignal): Promise<void> {
    const request = { pluginName: this.#options.pluginName, pluginIdx: PLUGIN_INDEX };
    const { registerPlugin } = Runtime.method;
    await runtime.call(registerPlugin, request, { timeoutMs: REGISTER_TIMEOUT_MS, signal: gone });
    this.#setState({ registered: true });
    try {
      await plugin.synchronised;
    } catch (error) {
      // Only a new connection brings a fresh snapshot. Until it is time for that, containers are still refused.
      this.#options.log.error("the runtime's pods could not be taken in", { error });
      await this.#pause(gone);
      throw new SnapshotError("the runtime's pods have to be listed again", { cause: error });
    }
    if (gone.aborted) return; // taken in too late: this snapshot is history
    this.#failures = 0;
    this.#lastReason = undefined;
    this.#setState({ synchronised: true });
    this.#options.log.info("registered with the runtime", { plugin: this.#options.pluginName, ...this.#state.runtime });
  }

  /** A reason is worth a line when it is new. */
  #logFailure(error: unknown): void {
    const reason = describeError(error);
    const fields = { address: this.#options.address, reason };
    if (reason !== this.#lastReason) this.#options.log.warn("no connection to the runtime; trying on", fields);
    else this.#options.log.debug("still no connection to the runtime", fields);
    this.#lastReason = reason;
  }

  #setState(change: Partial<NriState>): void {
    this.#state = { ...this.#state, ...change };
    this.#options.onState?.(this.#state);
  }
}
