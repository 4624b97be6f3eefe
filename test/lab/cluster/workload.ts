/** Claims and pods of tests, as objects, and what to wait for with them. All are in the namespace `default`. */
import { BUSYBOX_IMAGE } from "../runtime/images.ts";
import type { Cluster } from "./cluster.ts";
import { until } from "./wait.ts";

const POD_LIMIT_MS = 60_000;
const GONE_LIMIT_MS = 60_000;
const NAMESPACED = "/namespaces/default";
const CORE = `/api/v1${NAMESPACED}`;
const RESOURCE = `/apis/resource.k8s.io/v1${NAMESPACED}`;

export interface ClaimSpecOptions {
  /** A CEL selector by request name; the empty one takes any device of the class. */
  readonly requests: Readonly<Record<string, string>>;
  /** netferry's own configuration, for all requests. */
  readonly config?: object;
  readonly className?: string;
  /** Classes of single requests. */
  readonly classes?: Readonly<Record<string, string>>;
  /** The requests that the configuration is for; default all. */
  readonly configFor?: readonly string[];
  readonly adminAccess?: boolean;
  readonly constraints?: readonly object[];
}

export function claimSpec(options: ClaimSpecOptions): object {
  const { requests, config, className = "dra.net", adminAccess, constraints = [], classes = {} } = options;
  const configFor = options.configFor ?? [];
  return {
    devices: {
      requests: Object.entries(requests).map(([name, expression]) => ({
        name,
        exactly: {
          deviceClassName: classes[name] ?? className,
          ...(expression === "" ? {} : { selectors: [{ cel: { expression } }] }),
          ...(adminAccess === undefined ? {} : { adminAccess }),
        },
      })),
      constraints,
      config: config === undefined ? [] : [{ requests: configFor, opaque: { driver: "dra.net", parameters: config } }],
    },
  };
}

export function claim(name: string, options: ClaimSpecOptions): object {
  return { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata: { name }, spec: claimSpec(options) };
}

export function claimTemplate(name: string, options: ClaimSpecOptions): object {
  const spec = { spec: claimSpec(options) };
  return { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaimTemplate", metadata: { name }, spec };
}

export function byName(ifname: string): string {
  return `device.attributes["dra.net"].ifName == "${ifname}"`;
}

/** Sleeps, and ends at once when it is told to. */
export const IDLE = "trap 'exit 0' TERM; sleep 1000000 & wait";
/** A pod that takes none, with 0, is gone from the API server before the kubelet knows: that is a force deletion. */
export const GRACE_SECONDS = 2;

export interface ContainerOptions {
  readonly name?: string;
  /** Default: BUSYBOX_IMAGE. */
  readonly image?: string;
  /** Default: IDLE. */
  readonly script?: string;
  /** The pod's claims that it names. */
  readonly claims?: readonly string[];
  /** `Always` makes a sidecar of an init container. */
  readonly restartPolicy?: string;
}

export function container(options: ContainerOptions): object {
  const { name = "main", image = BUSYBOX_IMAGE, script = IDLE, claims = [], ...rest } = options;
  return {
    name,
    image,
    command: ["sh", "-c", script],
    ...(claims.length === 0 ? {} : { resources: { claims: claims.map((claim) => ({ name: claim })) } }),
    ...rest,
  };
}

export interface PodOptions {
  /** Own name → name of the claim, or of the template. */
  readonly claims?: Readonly<Record<string, string | { readonly template: string }>>;
  readonly containers?: readonly ContainerOptions[];
  readonly initContainers?: readonly ContainerOptions[];
  readonly restartPolicy?: string;
  readonly hostNetwork?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

/** By default one container, which names all claims. */
export function podSpec(options: PodOptions): object {
  const { claims = {}, initContainers = [], restartPolicy, hostNetwork } = options;
  const containers = options.containers ?? [{ claims: Object.keys(claims) }];
  return {
    terminationGracePeriodSeconds: GRACE_SECONDS,
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
    ...(hostNetwork === undefined ? {} : { hostNetwork }),
    resourceClaims: Object.entries(claims).map(([name, from]) => ({
      name,
      ...(typeof from === "string" ? { resourceClaimName: from } : { resourceClaimTemplateName: from.template }),
    })),
    initContainers: initContainers.map(container),
    containers: containers.map(container),
  };
}

export function pod(name: string, options: PodOptions): object {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels: options.labels ?? {} }, spec: podSpec(options) };
}

export interface PodObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly restartCount: number;
      readonly containerID?: string;
      readonly state: object;
    }[];
    readonly resourceClaimStatuses?: readonly { readonly name: string; readonly resourceClaimName?: string }[];
  };
}

export interface AllocatedDevice {
  readonly request: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly adminAccess?: boolean;
}

export interface ClaimObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: {
    readonly allocation?: { readonly devices: { readonly results: readonly AllocatedDevice[] } };
    readonly reservedFor?: readonly { readonly name: string; readonly uid: string }[];
    readonly devices?: readonly {
      readonly device: string;
      readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
      readonly networkData?: {
        readonly interfaceName?: string;
        readonly ips?: readonly string[];
        readonly hardwareAddress?: string;
      };
    }[];
  };
}

export interface EventObject {
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}

export interface PublishedDevice {
  readonly name: string;
  readonly attributes: Readonly<Record<string, object>>;
}

export interface SliceObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly spec: {
    readonly driver: string;
    readonly nodeName: string;
    readonly pool: { readonly name: string; readonly generation: number; readonly resourceSliceCount: number };
    readonly devices?: readonly PublishedDevice[];
  };
}

export class Workload {
  readonly cluster: Cluster;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  async create(...objects: readonly object[]): Promise<void> {
    await this.cluster.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  }

  pod(name: string): Promise<PodObject> {
    return this.cluster.api.json(`${CORE}/pods/${name}`);
  }

  claim(name: string): Promise<ClaimObject> {
    return this.cluster.api.json(`${RESOURCE}/resourceclaims/${name}`);
  }

  async claims(): Promise<readonly ClaimObject[]> {
    return (await this.cluster.api.json<{ items: ClaimObject[] }>(`${RESOURCE}/resourceclaims`)).items;
  }

  async slices(driver = "dra.net"): Promise<readonly SliceObject[]> {
    const path = "/apis/resource.k8s.io/v1/resourceslices";
    const { items } = await this.cluster.api.json<{ items: SliceObject[] }>(path);
    return items.filter(({ spec }) => spec.driver === driver);
  }

  async devices(driver = "dra.net"): Promise<readonly PublishedDevice[]> {
    return (await this.slices(driver)).flatMap(({ spec }) => spec.devices ?? []);
  }

  /** Waits until a device with the link is published. */
  async offeredLink(ifname: string): Promise<void> {
    const isOffered = async () =>
      (await this.devices()).some(({ attributes }) => {
        const name = attributes["dra.net/ifName"] as { readonly string?: string } | undefined;
        return name?.string === ifname;
      });
    await until(`${ifname} is offered`, isOffered, POD_LIMIT_MS);
  }

  /** Waits until all containers are ready; throws with the pod's events. */
  async podReady(name: string, limitMs = POD_LIMIT_MS): Promise<PodObject> {
    return await this.podIs(name, "Ready", ({ status }) => isReady(status), limitMs);
  }

  async podPhase(name: string, phase: string, limitMs = POD_LIMIT_MS): Promise<PodObject> {
    return await this.podIs(name, phase, ({ status }) => status.phase === phase, limitMs);
  }

  async podIs(name: string, what: string, is: (pod: PodObject) => boolean, limitMs = POD_LIMIT_MS): Promise<PodObject> {
    try {
      await until(`the pod ${name} is ${what}`, async () => is(await this.pod(name)), limitMs);
    } catch (cause) {
      const { status } = await this.pod(name);
      const events = (await this.events(name)).map(({ reason, message }) => `${reason}: ${message}`);
      throw new Error(`the pod ${name} is not ${what}: ${JSON.stringify(status)}\n${events.join("\n")}`, { cause });
    }
    return await this.pod(name);
  }

  /** Those that concern an object of this name. */
  async events(name: string): Promise<readonly EventObject[]> {
    const { items } = await this.cluster.api.json<{ items: EventObject[] }>(`${CORE}/events`);
    return items.filter(({ involvedObject }) => involvedObject.name === name);
  }

  exec(pod: string, command: readonly string[], containerName = "main"): Promise<string> {
    return this.cluster.kubectl(["exec", pod, "-c", containerName, "--", ...command]);
  }

  /** Deletes pods and waits until the API server has forgotten them; the kubelet has unprepared their claims then. */
  async deletePods(...names: readonly string[]): Promise<void> {
    await this.cluster.kubectl(["delete", "pods", ...names, "--ignore-not-found", "--wait=false"]);
    for (const name of names)
      await until(`the pod ${name} is gone`, () => this.#isGone(`${CORE}/pods/${name}`), GONE_LIMIT_MS);
  }

  async deleteClaims(...names: readonly string[]): Promise<void> {
    await this.cluster.kubectl(["delete", "resourceclaims", ...names, "--ignore-not-found", "--wait=false"]);
    for (const name of names)
      await until(`the claim ${name} is gone`, () => this.#isGone(`${RESOURCE}/resourceclaims/${name}`), GONE_LIMIT_MS);
  }

  async #isGone(path: string): Promise<boolean> {
    return await this.cluster.api.json(path).then(
      () => false,
      (error: unknown) => {
        if (String(error).includes(" 404 ")) return true;
        throw error;
      },
    );
  }
}

function isReady(status: PodObject["status"]): boolean {
  const statuses = status.containerStatuses ?? [];
  return statuses.length > 0 && statuses.every(({ ready }) => ready);
}
