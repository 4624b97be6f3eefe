/** The steps of a claim with RDMA on a test node in the emulated machine. */

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";
import { HostLinks, hasLink, uniqueName } from "./links.ts";
import type { ClaimOptions, TestNode } from "./node.ts";
import { rdmaLinks } from "./rdma.ts";
import type { ClaimRef } from "./runtime/kubelet.ts";
import type { Pod, PodOptions } from "./runtime/pods.ts";

export const ADDRESS = "10.71.0.9/24";
export const LINK_CONFIG = { interface: { name: "net1", addresses: [ADDRESS] } };

export interface RdmaClaim extends ClaimRef {
  readonly podUid: string;
  readonly hostNetwork: boolean;
}

export class RdmaLife implements AsyncDisposable {
  readonly node: TestNode;
  readonly links = new HostLinks();
  #pods: readonly Pod[] = [];

  constructor(node: TestNode) {
    this.node = node;
  }

  /** A claim of the device by the container `main`, with the configuration of a link. */
  claim(device: string, options: Partial<ClaimOptions> = {}): RdmaClaim {
    const claim = this.node.claim(uniqueName("rdma"), { devices: device, config: LINK_CONFIG, ...options });
    return { ...claim, hostNetwork: options.hostNetwork ?? false };
  }

  async runPod(claim: RdmaClaim, options: Partial<PodOptions> = {}): Promise<Pod> {
    const { name, podUid: uid, hostNetwork } = claim;
    const pod = await this.node.pods.run({ name, uid, hostNetwork, ...options });
    this.#pods = [...this.#pods, pod];
    return pod;
  }

  /** A container that names the claim, started as soon as it may be, as the kubelet does; answers its id. */
  async launch(pod: Pod, name: string, claim: ClaimRef): Promise<string> {
    await eventually("the receipt is there", () => existsSync(this.#receiptPath(claim)));
    return this.node.pods.launch(pod, { name, cdiDevices: [`netferry.dev/dra.net=${claim.uid}-nic`] });
  }

  /** What the container has of `/dev/infiniband`, as `uverbs rdma_cm`, each opened: the device cgroup has its say too. */
  async charDevices(containerId: string): Promise<string> {
    const script = "cd /dev/infiniband 2>/dev/null && for name in *; do : <>$name && echo $name; done";
    const { stdout } = await this.node.pods.exec(containerId, "sh", "-c", script);
    return stdout
      .trim()
      .split("\n")
      .map((name) => name.replace(/\d+$/, ""))
      .sort()
      .join(" ")
      .trim();
  }

  async netnsOf(pod: Pod): Promise<string> {
    return (await this.node.pods.netns(pod)) ?? "";
  }

  /** What the pod's namespace shows. */
  async rdmaInPod(pod: Pod): Promise<readonly string[]> {
    return rdmaLinks(await this.netnsOf(pod));
  }

  /** Two processes of Debian's talk over the device in the pod's namespace. Answers what they say when they cannot. */
  async pingpong(pod: Pod, name: string): Promise<string> {
    const enter = ["nsenter", `--net=${await this.netnsOf(pod)}`];
    const ping = [...enter, "ibv_rc_pingpong", "-d", name, "-g", "1", "-n", "5"];
    const server = Bun.spawn(ping, { stdout: "pipe", stderr: "pipe" });
    try {
      const listens = () =>
        Bun.spawnSync([...enter, "ss", "-ltn"])
          .stdout.toString()
          .includes(":18515");
      await eventually("the server listens", () => listens() || server.exitCode !== null);
      const client = Bun.spawnSync([...ping, "127.0.0.1"]);
      return client.success ? "" : client.stderr.toString() + client.stdout.toString();
    } finally {
      server.kill();
      await server.exited;
    }
  }

  #receiptPath(claim: ClaimRef): string {
    return join(this.node.lab.cdiDir, `netferry-dra.net-${claim.uid}.json`);
  }

  /** `Ready=NetworkDeviceReady …` of the claim's only device. */
  conditions(claim: ClaimRef): string {
    const path = `/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/${claim.name}`;
    const { devices = [] } = (this.node.api.store.get(path)?.status ?? {}) as {
      devices?: { conditions: { type: string; status: string; reason: string }[] }[];
    };
    return (devices[0]?.conditions ?? [])
      .map(({ type, status, reason }) => `${type}=${status === "True" ? reason : `not ${reason}`}`)
      .sort()
      .join(" ");
  }

  async endPod(pod: Pod, claim: ClaimRef): Promise<void> {
    this.#pods = this.#pods.filter((other) => other !== pod);
    await this.node.kubelet.endPod(pod, [claim]);
  }

  /** On the host again, the device on its link. */
  async expectAtHome(ifname: string, name: string): Promise<void> {
    await eventually(
      `${name} is home on ${ifname}`,
      () => hasLink(ifname) && rdmaLinks().includes(`${name}/1 ${ifname}`),
    );
    expect(rdmaLinks()).toEqual([`${name}/1 ${ifname}`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stopAgents();
    for (const pod of this.#pods) await this.node.pods.stop(pod).then(() => this.node.pods.remove(pod));
    this.links[Symbol.dispose]();
  }
}
