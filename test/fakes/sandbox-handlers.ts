/** Handlers that write down what they hear, and behave as a test tells them. */
import type {
  ContainerChange,
  RuntimeInfo,
  Sandbox,
  SandboxContainer,
  SandboxHandlers,
} from "../../src/nri/handlers.ts";

type Behaviour = (budget: AbortSignal) => Promise<void>;

export class RecordingHandlers implements SandboxHandlers {
  /** `started web`, `creating web/main`, … in the order of the calls. */
  readonly heard: string[] = [];
  readonly sandboxes: Sandbox[] = [];
  readonly snapshots: { readonly sandboxes: readonly Sandbox[]; readonly containers: readonly SandboxContainer[] }[] =
    [];
  runtime: RuntimeInfo | undefined;
  /** Names of the pods that have a claim of ours. */
  readonly concerned = new Set<string>();
  /** What is to be different in every container. */
  change: ContainerChange = {};
  onSynchronize: () => Promise<void> = async () => undefined;
  onStarted: Behaviour = async () => undefined;
  onStopped: Behaviour = async () => undefined;
  onCreating: Behaviour = async () => undefined;

  concerns({ podName }: Sandbox): boolean {
    return this.concerned.has(podName);
  }

  async synchronize(
    sandboxes: readonly Sandbox[],
    containers: readonly SandboxContainer[],
    runtime: RuntimeInfo,
  ): Promise<void> {
    this.heard.push("synchronize");
    this.snapshots.push({ sandboxes, containers });
    this.runtime = runtime;
    await this.onSynchronize();
  }

  async sandboxStarted(sandbox: Sandbox, budget: AbortSignal): Promise<void> {
    this.#hear("started", sandbox);
    await this.onStarted(budget);
  }

  async sandboxStopped(sandbox: Sandbox, budget: AbortSignal): Promise<void> {
    this.#hear("stopped", sandbox);
    await this.onStopped(budget);
  }

  async sandboxRemoved(sandbox: Sandbox): Promise<void> {
    this.#hear("removed", sandbox);
  }

  async containerCreating(
    sandbox: Sandbox,
    container: SandboxContainer,
    budget: AbortSignal,
  ): Promise<ContainerChange> {
    this.heard.push(`creating ${sandbox.podName}/${container.name}`);
    await this.onCreating(budget);
    return this.change;
  }

  disconnected(): void {
    this.heard.push("disconnected");
  }

  #hear(what: string, sandbox: Sandbox): void {
    this.heard.push(`${what} ${sandbox.podName}`);
    this.sandboxes.push(sandbox);
  }
}
