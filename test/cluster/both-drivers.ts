/** netferry and DRANET in one cluster. Both are the driver `dra.net`, so one runs at a time. */

import { join } from "node:path";
import { DRANET_IMAGE, importDranet } from "../lab/cluster/dranet-image.ts";
import { installNetferry, type Manifest, type Netferry } from "../lab/cluster/netferry.ts";
import { until } from "../lab/cluster/wait.ts";
import { hostState } from "../lab/host-state.ts";
import { hasLink, ip } from "../lab/links.ts";
import { AGENT_ARGS, NetferryLab, settled, type TestLink } from "./netferry-lab.ts";

export const DRIVERS = ["netferry", "DRANET"] as const;
export type DriverName = (typeof DRIVERS)[number];
export const DRANET_ACCOUNT = { namespace: "kube-system", name: "dranet" };

/** netferry's own, which DRANET does not know and would end over. */
const CLOUD_FLAG = "--cloud-provider-hint=";
const HOME_LIMIT_MS = 60_000;

export interface BothDriversOptions {
  /** Of Google's metadata service, which DRANET asks wherever it runs: `127.0.0.1:NNNN`. */
  readonly metadataHost: string;
  /** Arguments of netferry. */
  readonly args?: readonly string[];
}

export class BothDrivers implements AsyncDisposable {
  readonly lab: NetferryLab;
  readonly #metadataHost: string;
  #running: DriverName = "netferry";
  #dranet: Netferry | undefined;

  private constructor(lab: NetferryLab, metadataHost: string) {
    this.lab = lab;
    this.#metadataHost = metadataHost;
  }

  /** netferry runs then; its manifest brings the DeviceClass. */
  static async start({ metadataHost, args = [] }: BothDriversOptions): Promise<BothDrivers> {
    return new BothDrivers(await NetferryLab.start({ install: { args } }), metadataHost);
  }

  get running(): DriverName {
    return this.#running;
  }

  /** The one that runs. */
  get agent(): Netferry {
    return this.#running === "DRANET" && this.#dranet !== undefined ? this.#dranet : this.lab.netferry;
  }

  /** Makes `name` the one that runs. What the other one had published goes first: all slices are then its own. */
  async run(name: DriverName): Promise<void> {
    if (name === this.#running) return;
    await this.agent.stop();
    await this.lab.cluster.kubectl(["delete", "resourceslices", "--all"]);
    if (name === "DRANET" && this.#dranet === undefined) this.#dranet = await this.#installDranet();
    this.#running = name;
    await this.agent.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }

  /** With a manifest, a service account and arguments of its own. Builds it where the cache lacks it. */
  async #installDranet(): Promise<Netferry> {
    const { cluster } = this.lab;
    await importDranet(cluster, console.error);
    return await installNetferry(cluster, {
      manifest: join(import.meta.dir, "dranet.yaml"),
      until: "healthz",
      args: AGENT_ARGS.filter((arg) => !arg.startsWith(CLOUD_FLAG)),
      env: { GCE_METADATA_HOST: this.#metadataHost },
      edit: asDranet,
    });
  }
}

/** Of the manifest that netferry's image gets elsewhere, what DRANET of this version takes: it has no hook to install. */
export function asDranet(object: Manifest): void {
  if (object.kind !== "DaemonSet") return;
  const { spec } = object["spec"].template;
  delete spec.initContainers;
  spec.volumes = spec.volumes.filter(({ name }: { readonly name: string }) => name !== "hook-bin");
  spec.containers[0].image = DRANET_IMAGE;
}

/** Waits for a link that DRANET brings home, and gives it what it had there, as its administrator would. */
export async function mended(link: TestLink): Promise<TestLink> {
  await until(`${link.ifname} is back`, async () => hasLink(link.ifname), HOME_LIMIT_MS);
  ip("link", "set", link.ifname, "mtu", "1450", "up");
  ip("addr", "flush", "dev", link.ifname, "scope", "global");
  ip("addr", "add", link.home, "brd", "+", "dev", link.ifname);
  await settled(link.ifname);
  return { ...link, before: hostState(link.ifname) };
}
