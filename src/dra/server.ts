/** The kubelet side: two sockets, in the order in which the kubelet may see them. */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { UnixGrpcServer } from "../grpc/unix-server.ts";
import { ClaimCalls, type ClaimCallsOptions } from "./claim-calls.ts";
import { DriverRegistration, type RegistrationState } from "./registration.ts";
import { draServices } from "./services.ts";

/** For calls under way when we stop. Kubernetes gives a pod 30 s, and others want some of it. */
const STOP_GRACE_MS = 8000;
/** For work that was told to stop. */
const ABORT_GRACE_MS = 5000;

export interface DraServerOptions extends ClaimCallsOptions {
  readonly driver: string;
  /** `--kubelet-root-dir`; the same path on the host and in our container. */
  readonly kubeletRoot: string;
  readonly onRegistration?: (state: RegistrationState) => void;
  readonly stopGraceMs?: number;
}

export class DraServer implements AsyncDisposable {
  readonly #options: DraServerOptions;
  readonly #calls: ClaimCalls;
  readonly #registration: DriverRegistration;
  readonly #dra: UnixGrpcServer;
  readonly #registrar: UnixGrpcServer;

  private constructor(
    options: DraServerOptions,
    calls: ClaimCalls,
    registration: DriverRegistration,
    dra: UnixGrpcServer,
    registrar: UnixGrpcServer,
  ) {
    this.#options = options;
    this.#calls = calls;
    this.#registration = registration;
    this.#dra = dra;
    this.#registrar = registrar;
  }

  /** Resolves when both sockets listen; the kubelet registers later. Throws when another process has one of them. */
  static async start(options: DraServerOptions): Promise<DraServer> {
    const { driver, log } = options;
    const root = resolve(options.kubeletRoot);
    const data = join(root, "plugins", driver);
    const registry = join(root, "plugins_registry");
    mkdirSync(data, { recursive: true, mode: 0o750 });
    mkdirSync(registry, { recursive: true, mode: 0o755 });
    const calls = new ClaimCalls(options);
    const endpoint = join(data, "dra.sock");
    const registration = new DriverRegistration({
      driver,
      endpoint,
      log,
      ...(options.onRegistration === undefined ? {} : { onChange: options.onRegistration }),
    });
    // The kubelet connects to the endpoint as soon as it has read the registration, so that one listens first.
    const dra = await UnixGrpcServer.listen(endpoint, draServices(calls));
    try {
      const registrar = await UnixGrpcServer.listen(join(registry, `${driver}-reg.sock`), [registration.service()]);
      return new DraServer(options, calls, registration, dra, registrar);
    } catch (error) {
      await dra.stop(0, () => undefined);
      throw error;
    }
  }

  /** True once the kubelet has accepted the driver. */
  get registered(): boolean {
    return this.#registration.state.kind === "registered";
  }

  get registration(): RegistrationState {
    return this.#registration.state;
  }

  get sockets(): { readonly dra: string; readonly registration: string } {
    return { dra: this.#dra.path, registration: this.#registrar.path };
  }

  /**
   * First the registration, so that the kubelet forgets us and sends nothing new, then the calls under way, then the
   * work that they started: when this is done nothing of it runs any more.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const graceMs = this.#options.stopGraceMs ?? STOP_GRACE_MS;
    const { log } = this.#options;
    await this.#registrar.stop(Math.min(graceMs, 1000), () => undefined);
    await this.#dra.stop(graceMs, () => log.warn("calls of the kubelet are cut off at shutdown", { graceMs }));
    this.#calls.stop();
    const given = Promise.withResolvers<"late">();
    const timer = setTimeout(() => given.resolve("late"), ABORT_GRACE_MS);
    if ((await Promise.race([this.#calls.idle(), given.promise])) === "late")
      log.error("work for claims did not stop when told to", { claims: this.#calls.busyClaims });
    clearTimeout(timer);
  }
}
