/** The cluster mode: claims from the kubelet and the API server, devices published as ResourceSlices. */

import { DraServer } from "../dra/server.ts";
import type { Condition } from "../http/condition.ts";
import { openKubeClient } from "../kube/client/open.ts";
import type { Node } from "../kube/client/wire.ts";
import { SlicePublisher } from "../kube/publisher.ts";
import { serverAddresses } from "../kube/server-addresses.ts";
import { version } from "../lib/version.ts";
import { ClaimReports } from "./claim-reports.ts";
import { ClusterClaims } from "./cluster-claims.ts";
import { findDevice } from "./find-device.ts";
import type { Mode, ModeParts } from "./mode.ts";

/** For the labels of the Node, which are asked for when nobody waits. */
const NODE_LIMIT_MS = 2_000;

export async function clusterMode(parts: ModeParts): Promise<Mode> {
  const { config, inventory, log, metrics, clock } = parts;
  const client = await openKubeClient({ kubeconfig: config.kubeconfig, userAgent: `netferry/${version}` });
  for (const address of await serverAddresses(client.server)) parts.routeTo.add(address);
  const publisher = new SlicePublisher({
    client,
    driver: config.driverName,
    nodeName: config.nodeName,
    clock,
    log: log.child({ part: "publish" }),
    onPublished: (published, atMs) => metrics.published(published, atMs),
  });
  const reports = new ClaimReports({
    client,
    store: parts.store,
    driver: config.driverName,
    nodeName: config.nodeName,
    clock,
    log: log.child({ part: "reports" }),
  });
  parts.observers.add(reports);
  parts.providers.nodeLabels = async (signal) => {
    const path = `/api/v1/nodes/${config.nodeName}`;
    const node = await client.get<Node>(path, { signal, timeoutMs: NODE_LIMIT_MS });
    return node.metadata?.labels ?? {};
  };
  const claims = new ClusterClaims({
    ...parts,
    client,
    reports,
    driver: config.driverName,
    runtimeHandlers: config.runtimeHandlers,
    authority: config,
    log: log.child({ part: "claims" }),
    findDevice: (name, signal) => findDevice(inventory, name, signal),
    onChange: () => inventory.requestScan(),
  });
  const dra = await DraServer.start({
    driver: config.driverName,
    kubeletRoot: config.kubeletRootDir,
    claims,
    log: log.child({ part: "dra" }),
    onRequest: (method, status, seconds) => metrics.draRequest(method, status, seconds),
  });
  return {
    conditions: () => [kubeletCondition(dra), publicationCondition(publisher)],
    tasks: {
      ...reports.tasks,
      publisher: (signal) => publisher.run(signal),
      publication: async (signal) => {
        for await (const devices of inventory.changes(signal))
          if (inventory.lastScanMs !== undefined) publisher.publish(devices);
      },
    },
    [Symbol.asyncDispose]: () => dra[Symbol.asyncDispose](),
  };
}

function kubeletCondition(dra: DraServer): Condition {
  return dra.registered
    ? { name: "kubelet", ready: true, message: "registered with the kubelet" }
    : {
        name: "kubelet",
        ready: false,
        message: `the kubelet has not registered the driver: does it watch ${dra.sockets.registration}?`,
      };
}

function publicationCondition({ lastPublishedAtMs }: SlicePublisher): Condition {
  return lastPublishedAtMs === undefined
    ? { name: "publication", ready: false, message: "the devices were not published yet: see the log for why" }
    : { name: "publication", ready: true, message: `published at ${new Date(lastPublishedAtMs).toISOString()}` };
}
