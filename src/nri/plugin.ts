/** The plugin's half of NRI on one connection: every request gets an answer, in time. */
import type { Clock } from "../lib/clock.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import type { Fields, Logger } from "../lib/log.ts";
import {
  type ConfigureRequest,
  type CreateContainerRequest,
  Event,
  Plugin,
  type PodSandbox,
  type SynchronizeRequest,
} from "../proto/gen/nri/api_pb.ts";
import { type CallContext, ServiceRouter } from "../ttrpc/service-router.ts";
import { Code, StatusError } from "../ttrpc/status.ts";
import type { ContainerChange, RuntimeInfo, Sandbox, SandboxContainer, SandboxHandlers } from "./handlers.ts";
import { type Ending, HookRunner } from "./hook-runner.ts";
import { toAdjustment, toContainer, toSandbox } from "./translate.ts";

/** Said explicitly: 0 would ask for all events, and old runtimes refuse a plugin that asks for ones they lack. */
export const SUBSCRIBED_EVENTS = [
  Event.RUN_POD_SANDBOX,
  Event.STOP_POD_SANDBOX,
  Event.REMOVE_POD_SANDBOX,
  Event.CREATE_CONTAINER,
].reduce((mask, event) => mask | (1 << (event - 1)), 0);

type SandboxHook = "RunPodSandbox" | "StopPodSandbox" | "RemovePodSandbox";

export interface HookRecord {
  readonly hook: "Synchronize" | SandboxHook | "CreateContainer";
  /** `late`: answered when its budget ended. `failed`: the handler threw what it should not. */
  readonly outcome: "done" | "late" | "failed" | "refused";
  /** False: the pod has no claim of ours. */
  readonly concerned: boolean;
  readonly durationMs: number;
  readonly budgetMs: number;
}

export interface NriPluginOptions {
  readonly handlers: SandboxHandlers;
  readonly log: Logger;
  readonly clock: Clock;
  readonly onConfigured: (runtime: RuntimeInfo) => void;
  /** Hears of each hook that is answered. */
  readonly onHook?: ((record: HookRecord) => void) | undefined;
}

type Empty = Record<string, never>;
type Adjustment = ReturnType<typeof toAdjustment>;

export class NriPlugin {
  readonly router: ServiceRouter;
  readonly #options: NriPluginOptions;
  readonly #hooks: HookRunner;
  readonly #synchronised = Promise.withResolvers<void>();
  #runtime: RuntimeInfo = { name: "", version: "" };
  /** The parts of the snapshot that have come so far. */
  #snapshot: { sandboxes: Sandbox[]; containers: SandboxContainer[] } = { sandboxes: [], containers: [] };
  /** Handlers hear of events only when they are done with the snapshot that precedes them. */
  #snapshotTaken: Promise<unknown> = Promise.resolve();

  constructor(options: NriPluginOptions) {
    this.#options = options;
    this.#hooks = new HookRunner(options.clock);
    this.#synchronised.promise.catch(() => undefined); // whoever waits for it hears; nobody has to
    const on = (hook: SandboxHook) => (pod: PodSandbox | undefined, context: CallContext) =>
      this.#sandboxHook(hook, pod, context);
    const [run, stop, remove] = [on("RunPodSandbox"), on("StopPodSandbox"), on("RemovePodSandbox")];
    // NRI 0.12 calls a method for each event; before, the same events came as StateChange.
    const byEvent = new Map<number, typeof run>([
      [Event.RUN_POD_SANDBOX, run],
      [Event.STOP_POD_SANDBOX, stop],
      [Event.REMOVE_POD_SANDBOX, remove],
    ]);
    this.router = new ServiceRouter()
      .on(Plugin.method.configure, async (request) => this.#configure(request))
      .on(Plugin.method.synchronize, (request, context) => this.#synchronize(request, context))
      .on(Plugin.method.shutdown, async () => ({}))
      .on(Plugin.method.runPodSandbox, ({ pod }, context) => run(pod, context))
      .on(Plugin.method.stopPodSandbox, ({ pod }, context) => stop(pod, context))
      .on(Plugin.method.removePodSandbox, ({ pod }, context) => remove(pod, context))
      .on(Plugin.method.createContainer, (request, context) => this.#createContainer(request, context))
      .on(Plugin.method.stateChange, async ({ event, pod }, context) => byEvent.get(event)?.(pod, context) ?? {});
  }

  /** Settles when the handlers have taken in what the runtime listed; rejects with what they threw. */
  get synchronised(): Promise<void> {
    return this.#synchronised.promise;
  }

  /** Resolves when no hook waits for its answer. */
  drained(): Promise<void> {
    return this.#hooks.drained();
  }

  #configure(request: ConfigureRequest): { events: number } {
    const { runtimeName: name, runtimeVersion: version, NRIVersion: nriVersion } = request;
    this.#runtime = { name, version, ...(nriVersion === "" ? {} : { nriVersion }) };
    if (request.requestTimeout > 0n) this.#hooks.requestTimeoutMs = Number(request.requestTimeout);
    this.#options.onConfigured(this.#runtime);
    return { events: SUBSCRIBED_EVENTS };
  }

  /** An error here would leave us unregistered (since NRI 0.7) or registered and deaf (before): none is answered. */
  async #synchronize(request: SynchronizeRequest, context: CallContext): Promise<{ more: boolean }> {
    this.#snapshot.sandboxes.push(...request.pods.map(toSandbox));
    this.#snapshot.containers.push(...request.containers.map(toContainer));
    if (request.more) return { more: true };
    const { sandboxes, containers } = this.#snapshot;
    this.#snapshot = { sandboxes: [], containers: [] };
    const ending = await this.#hooks.run(context, async () => {
      const taken = this.#options.handlers.synchronize(sandboxes, containers, this.#runtime);
      this.#snapshotTaken = taken.catch(() => undefined);
      taken.then(this.#synchronised.resolve, this.#synchronised.reject);
      await taken;
    });
    this.#report("Synchronize", ending, { sandboxes: sandboxes.length, containers: containers.length }, true);
    return { more: false };
  }

  /** Runtimes leak sandboxes or refuse to delete pods when these events fail: the answer is never an error. */
  async #sandboxHook(hook: SandboxHook, pod: PodSandbox | undefined, context: CallContext): Promise<Empty> {
    if (pod === undefined) {
      this.#options.log.warn("the runtime sent an event without a pod", { hook });
      return {};
    }
    const { handlers } = this.#options;
    const sandbox = toSandbox(pod);
    const before = handlers.concerns(sandbox);
    const ending = await this.#hooks.run(context, async (budget) => {
      await this.#snapshotTaken;
      if (hook === "RunPodSandbox") await handlers.sandboxStarted(sandbox, budget);
      else if (hook === "StopPodSandbox") await handlers.sandboxStopped(sandbox, budget);
      else await handlers.sandboxRemoved(sandbox);
    });
    this.#report(hook, ending, fieldsOf(sandbox), before || handlers.concerns(sandbox));
    return {};
  }

  /** Answers an error, which makes the kubelet try again later, for as long as the container must not start. */
  async #createContainer(request: CreateContainerRequest, context: CallContext): Promise<Adjustment> {
    if (request.pod === undefined || request.container === undefined) {
      throw new StatusError(Code.INVALID_ARGUMENT, "CreateContainer names no pod or no container");
    }
    const sandbox = toSandbox(request.pod);
    const container = toContainer(request.container);
    let change: ContainerChange = {};
    const ending = await this.#hooks.run(context, async (budget) => {
      await this.#snapshotTaken;
      if (!budget.aborted) change = await this.#options.handlers.containerCreating(sandbox, container, budget);
    });
    const refusal = refusalOf(ending, sandbox, container);
    const outcome = refusal === undefined ? "done" : "refused";
    this.#record("CreateContainer", outcome, ending, this.#options.handlers.concerns(sandbox));
    if (refusal === undefined) return toAdjustment(change);
    this.#options.log.warn("container refused", {
      ...fieldsOf(sandbox),
      container: container.name,
      reason: refusal.message,
    });
    throw refusal;
  }

  #report(hook: HookRecord["hook"], ending: Ending, fields: Fields, concerned: boolean): void {
    const { log } = this.#options;
    this.#record(hook, ending.outcome, ending, concerned);
    const facts = { hook, ...fields, durationMs: Math.round(ending.durationMs) };
    if (ending.outcome === "done") log.debug("hook answered", facts);
    else if (ending.outcome === "failed") log.error("hook failed", { ...facts, error: ending.error });
    else {
      log.warn("hook answered before its work was done", facts);
      void ending.settled.then((settled) => {
        if (settled.outcome === "done") log.info("late work of a hook is done", { hook, ...fields });
        else log.error("late work of a hook failed", { hook, ...fields, error: settled.error });
      });
    }
  }

  #record(
    hook: HookRecord["hook"],
    outcome: HookRecord["outcome"],
    { durationMs, budgetMs }: Ending,
    concerned: boolean,
  ): void {
    this.#options.onHook?.({ hook, outcome, concerned, durationMs, budgetMs });
  }
}

/** Why the container must not be made, as the status that the kubelet shows; undefined lets it go on. */
function refusalOf(ending: Ending, sandbox: Sandbox, container: SandboxContainer): StatusError | undefined {
  if (ending.outcome === "done") return undefined;
  const subject = `container ${container.name} of pod ${sandbox.podNamespace}/${sandbox.podName}`;
  if (ending.outcome === "late") {
    const text = `${subject}: the claimed devices are still being attached; the kubelet tries again`;
    return new StatusError(Code.FAILED_PRECONDITION, text);
  }
  const { error } = ending;
  if (error instanceof ClaimError)
    return new StatusError(Code.FAILED_PRECONDITION, describeError(error), { cause: error });
  return new StatusError(Code.INTERNAL, `${subject}: ${describeError(error)}`, { cause: error });
}

function fieldsOf(sandbox: Sandbox): Fields {
  return { pod: `${sandbox.podNamespace}/${sandbox.podName}`, podUid: sandbox.podUid, sandboxId: sandbox.id };
}
