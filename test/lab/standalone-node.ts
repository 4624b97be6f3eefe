/** A node without Kubernetes, for tests: a real containerd, claim files in a folder, and netferry as its own process. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { Agent } from "./agent.ts";
import { type Containerd, type ContainerdOptions, startContainerd } from "./runtime/containerd.ts";
import { Pods } from "./runtime/pods.ts";

export interface FileClaim {
  readonly name: string;
  readonly namespace?: string;
  /** The link that it asks for; without it any link that the class `links` lets through. */
  readonly ifname?: string;
  /** Configuration for the driver. */
  readonly config?: object;
}

export class StandaloneNode implements AsyncDisposable {
  readonly lab: Containerd;
  readonly pods: Pods;
  readonly claimsDir: string;
  readonly #dir: string;
  readonly #agents: Agent[] = [];

  private constructor(lab: Containerd, dir: string) {
    this.lab = lab;
    this.pods = new Pods(lab);
    this.#dir = dir;
    this.claimsDir = join(dir, "claims");
    mkdirSync(this.claimsDir);
  }

  static async start(options: ContainerdOptions): Promise<StandaloneNode> {
    return new StandaloneNode(await startContainerd(options), mkdtempSync(join(tmpdir(), "netferry-standalone-")));
  }

  get #database(): string {
    return join(this.#dir, "netferry.db");
  }

  /** Starts netferry and waits until it is ready. */
  async agent(options: { readonly faults?: string; readonly args?: readonly string[] } = {}): Promise<Agent> {
    const agent = new Agent({
      args: [
        ...["--standalone", "--claims", this.claimsDir, "--hostname-override", "edge", "--filter="],
        ...["--nri-socket", this.lab.nriSocket, "--cdi-dir", this.lab.cdiDir, "--netns-dir", this.lab.netnsDir],
        ...["--db-path", this.#database, "--inventory-min-poll-interval", "50ms", ...(options.args ?? [])],
      ],
      ...(options.faults === undefined ? {} : { faults: options.faults }),
    });
    this.#agents.push(agent);
    return await agent.ready();
  }

  /** Writes a file of the claims' folder; rewritten if it is there. */
  writeFile(name: string, text: string): void {
    writeFileSync(join(this.claimsDir, name), text);
  }

  removeFile(name: string): void {
    rmSync(join(this.claimsDir, name));
  }

  /** Writes `NAME.yaml` with this claim. */
  writeClaim({ name, namespace, ifname, config }: FileClaim): void {
    const expression = `device.attributes["dra.net"].ifName == "${ifname}"`;
    this.writeFile(
      `${name}.yaml`,
      stringify({
        apiVersion: "resource.k8s.io/v1",
        kind: "ResourceClaim",
        metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
        spec: {
          devices: {
            requests: [
              {
                name: "nic",
                exactly: {
                  deviceClassName: "links",
                  ...(ifname === undefined ? {} : { selectors: [{ cel: { expression } }] }),
                },
              },
            ],
            ...(config === undefined ? {} : { config: [{ opaque: { driver: "dra.net", parameters: config } }] }),
          },
        },
      }),
    );
  }

  /** Writes `class.yaml` with the class `links`: links whose name begins with `prefix`. */
  writeClass(prefix: string): void {
    const expression = `device.attributes["dra.net"].ifName.startsWith("${prefix}")`;
    this.writeFile(
      "class.yaml",
      stringify({
        apiVersion: "resource.k8s.io/v1",
        kind: "DeviceClass",
        metadata: { name: "links" },
        spec: { selectors: [{ cel: { expression } }] },
      }),
    );
  }

  /** Removes all claims and classes. */
  clear(): void {
    for (const name of readdirSync(this.claimsDir)) this.removeFile(name);
  }

  /** Kills those that still run, and forgets what they stored: the next one starts afresh. */
  async stopAgents(): Promise<void> {
    for (const agent of this.#agents.splice(0)) await agent[Symbol.asyncDispose]();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${this.#database}${suffix}`, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAgents();
    await this.lab.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
