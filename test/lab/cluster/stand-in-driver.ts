/** A DRA driver that gives devices away and does nothing with them: another vendor's, beside netferry. */

import { DraServer } from "../../../src/dra/server.ts";
import { createLogger } from "../../../src/lib/log.ts";
import { until } from "./wait.ts";
import type { Workload } from "./workload.ts";

export interface StandInDevice {
  readonly name: string;
  /** Full names. */
  readonly attributes: Readonly<Record<string, object>>;
}

const REGISTRATION_LIMIT_MS = 30_000;

export class StandInDriver implements AsyncDisposable {
  readonly name: string;
  readonly #server: DraServer;
  /** UIDs of the claims that it was asked to prepare, and not to unprepare since. */
  readonly prepared: ReadonlySet<string>;

  private constructor(name: string, server: DraServer, prepared: ReadonlySet<string>) {
    this.name = name;
    this.#server = server;
    this.prepared = prepared;
  }

  /** Publishes the devices, registers with the kubelet, and gives a DeviceClass of its name. */
  static async start(workload: Workload, name: string, devices: readonly StandInDevice[]): Promise<StandInDriver> {
    const { cluster } = workload;
    const prepared = new Set<string>();
    const server = await DraServer.start({
      driver: name,
      kubeletRoot: cluster.dirs.kubelet, // the node sees it at this path too
      log: createLogger({ level: "error", write: (line) => process.stderr.write(line) }),
      claims: {
        prepare: async (ref) => {
          const { status } = await workload.claim(ref.name);
          const results = status?.allocation?.devices.results.filter(({ driver }) => driver === name) ?? [];
          prepared.add(ref.uid);
          return results.map(({ request, pool, device }) => ({ requests: [request], pool, device, cdiDeviceIds: [] }));
        },
        unprepare: async ({ uid }) => void prepared.delete(uid),
      },
    });
    const pool = { name: cluster.nodeName, generation: 1, resourceSliceCount: 1 };
    const head = { apiVersion: "resource.k8s.io/v1", metadata: { name } };
    await until(`the kubelet has registered ${name}`, () => server.registered, REGISTRATION_LIMIT_MS);
    await workload.create(
      { ...head, kind: "DeviceClass", spec: { selectors: [{ cel: { expression: `device.driver == "${name}"` } }] } },
      { ...head, kind: "ResourceSlice", spec: { driver: name, nodeName: cluster.nodeName, pool, devices } },
    );
    return new StandInDriver(name, server, prepared);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
