/** The kubelet's part, step by step: finds a DRA driver by its registration socket, and takes pods through their life. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DRAPlugin as DraV1 } from "../../../src/proto/gen/dra/v1/api_pb.ts";
import { DRAPlugin as DraV1Beta1 } from "../../../src/proto/gen/dra/v1beta1/api_pb.ts";
import { type PluginInfo, Registration } from "../../../src/proto/gen/pluginregistration/v1/api_pb.ts";
import { eventually } from "../../fakes/eventually.ts";
import type { Containerd } from "./containerd.ts";
import { GrpcClient } from "./grpc-client.ts";
import { type ContainerOptions, type Pod, type PodOptions, Pods } from "./pods.ts";

/** What the kubelet gives a driver. */
const DRA_LIMIT_MS = 45_000;
const REGISTRATION_LIMIT_MS = 5_000;

export interface ClaimRef {
  readonly namespace: string;
  readonly uid: string;
  readonly name: string;
}

export interface PreparedDevice {
  readonly requestNames: readonly string[];
  readonly poolName: string;
  readonly deviceName: string;
  readonly cdiDeviceIds: readonly string[];
}

export interface KubeletOptions {
  readonly lab: Containerd;
  /** The agent's `--kubelet-root-dir`. */
  readonly rootDir: string;
  /** What this kubelet knows, e.g. only `v1beta1.DRAPlugin` before Kubernetes 1.34. */
  readonly supportedVersions?: readonly string[];
}

export class Kubelet implements Disposable {
  /** Sandboxes and containers, without the driver. */
  readonly pods: Pods;
  readonly #options: KubeletOptions;
  #driver: { readonly info: PluginInfo; readonly version: string; readonly client: GrpcClient } | undefined;

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.pods = new Pods(options.lab);
  }

  /**
   * Registers the driver `name` as soon as its socket is there: GetInfo, choice of the version, connection to the
   * endpoint, NotifyRegistrationStatus. Also for a driver that has come back.
   */
  async register(name: string, limitMs = 10_000): Promise<PluginInfo> {
    let last: unknown;
    let found: PluginInfo | undefined;
    const attempt = async () => {
      for (const socket of this.registrationSockets()) {
        try {
          const info = await this.#registerAt(socket, name);
          if (info !== undefined) found = info;
        } catch (error) {
          last = error; // a socket that a dead driver left, or one that is not ready: the kubelet tries again too
        }
      }
      return found !== undefined;
    };
    await eventually(`driver ${name} registers`, attempt, limitMs).catch((error: unknown) => {
      throw new Error(String(error), { cause: last });
    });
    if (found === undefined) throw new Error(`driver ${name} did not register`);
    return found;
  }

  /** The sockets in `plugins_registry`, those with a dot name apart, as the kubelet's watcher sees them. */
  registrationSockets(): string[] {
    const directory = join(this.#options.rootDir, "plugins_registry");
    return readdirSync(directory)
      .filter((name) => !name.startsWith("."))
      .map((name) => join(directory, name))
      .filter((path) => statSync(path, { throwIfNoEntry: false })?.isSocket() === true);
  }

  /** NodePrepareResources for one claim. Rejects with the claim's error. */
  async prepare(claim: ClaimRef): Promise<readonly PreparedDevice[]> {
    const { client, version } = this.#registered();
    const claims = [{ ...claim }];
    const answer =
      version === "v1.DRAPlugin"
        ? await client.call(DraV1.method.nodePrepareResources, { claims }, DRA_LIMIT_MS)
        : await client.call(DraV1Beta1.method.nodePrepareResources, { claims }, DRA_LIMIT_MS);
    const { error, devices } = onlyAnswer<{ error: string; devices: readonly PreparedDevice[] }>(answer.claims, claim);
    if (error !== "") throw new Error(error);
    return devices;
  }

  /** NodeUnprepareResources for one claim. Rejects with the claim's error. */
  async unprepare(claim: ClaimRef): Promise<void> {
    const { client, version } = this.#registered();
    const claims = [{ ...claim }];
    const answer =
      version === "v1.DRAPlugin"
        ? await client.call(DraV1.method.nodeUnprepareResources, { claims }, DRA_LIMIT_MS)
        : await client.call(DraV1Beta1.method.nodeUnprepareResources, { claims }, DRA_LIMIT_MS);
    const { error } = onlyAnswer<{ error: string }>(answer.claims, claim);
    if (error !== "") throw new Error(error);
  }

  /** Prepare, sandbox, and one container that names all CDI devices of the claims, started. */
  async startPod(
    options: PodOptions & { readonly claims: readonly ClaimRef[]; readonly container?: Partial<ContainerOptions> },
  ): Promise<{ readonly pod: Pod; readonly containerId: string; readonly cdiDevices: readonly string[] }> {
    const cdiDevices: string[] = [];
    for (const claim of options.claims) {
      for (const device of await this.prepare(claim)) cdiDevices.push(...device.cdiDeviceIds);
    }
    const pod = await this.pods.run(options);
    const containerId = await this.pods.launch(pod, { name: "main", cdiDevices, ...options.container });
    return { pod, containerId, cdiDevices };
  }

  /** Stop, remove, Unprepare: the kubelet's order. */
  async endPod(pod: Pick<Pod, "sandboxId">, claims: readonly ClaimRef[]): Promise<void> {
    await this.pods.stop(pod);
    await this.pods.remove(pod);
    for (const claim of claims) await this.unprepare(claim);
  }

  [Symbol.dispose](): void {
    this.#driver?.client[Symbol.dispose]();
  }

  async #registerAt(socket: string, name: string): Promise<PluginInfo | undefined> {
    // The kubelet dials this socket by a bare path, so its authority is the path, percent-encoded.
    using registration = new GrpcClient(socket, { authority: encodeURIComponent(socket) });
    const { getInfo, notifyRegistrationStatus } = Registration.method;
    const info = await registration.call(getInfo, {}, REGISTRATION_LIMIT_MS);
    if (info.name !== name) return undefined;
    const known = this.#options.supportedVersions ?? ["v1.DRAPlugin", "v1beta1.DRAPlugin"];
    const version = info.supportedVersions.find((one) => known.includes(one));
    if (info.type !== "DRAPlugin" || version === undefined) {
      const error = `no version of ${info.type} ${info.supportedVersions.join(", ")} is among ${known.join(", ")}`;
      await registration.call(notifyRegistrationStatus, { pluginRegistered: false, error }, REGISTRATION_LIMIT_MS);
      throw new Error(error);
    }
    this.#driver?.client[Symbol.dispose]();
    this.#driver = { info, version, client: new GrpcClient(info.endpoint === "" ? socket : info.endpoint) };
    await registration.call(notifyRegistrationStatus, { pluginRegistered: true }, REGISTRATION_LIMIT_MS);
    return info;
  }

  #registered() {
    if (this.#driver === undefined) throw new Error("no driver is registered with this kubelet");
    return this.#driver;
  }
}

/** The kubelet insists on exactly one entry for each claim that it asked for. */
function onlyAnswer<T>(answers: Readonly<Record<string, T>>, claim: ClaimRef): T {
  const answer = answers[claim.uid];
  if (answer === undefined || Object.keys(answers).length !== 1) {
    throw new Error(`the driver answered for ${Object.keys(answers).join(", ") || "nothing"}, not for ${claim.uid}`);
  }
  return answer;
}
