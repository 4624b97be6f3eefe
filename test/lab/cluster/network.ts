/**
 * The addresses of one cluster. The API server and the node have addresses of their own on `lo`, so that several
 * clusters run side by side on the usual ports, and pods reach the API server at the address of the `kubernetes`
 * Service without kube-proxy.
 */
import { networkInterfaces } from "node:os";
import { run } from "./run.ts";
import { until } from "./wait.ts";

export interface ClusterNetwork {
  readonly serviceSubnet: string;
  /** The first address of `serviceSubnet`: Kubernetes gives it to the `kubernetes` Service. */
  readonly apiServer: string;
  readonly node: string;
  readonly podSubnet: string;
}

const IP_LIMIT_MS = 10_000;
const LINKS_LIMIT_MS = 20_000;
/** Of 10.97.0.0/16 for services and 10.98.0.0/16 for pods: a /25 and a /23, the latter for more than 250 pods. */
const CHOICES = 128;

/** One that no interface of this machine uses. */
export function freeNetwork(random: () => number = Math.random): ClusterNetwork {
  const taken = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []));
  const first = Math.floor(random() * CHOICES);
  for (let at = 0; at < CHOICES; at++) {
    const third = ((first + at) % CHOICES) * 2;
    const network = {
      serviceSubnet: `10.97.${third}.0/25`,
      apiServer: `10.97.${third}.1`,
      node: `10.97.${third}.200`,
      podSubnet: `10.98.${third}.0/23`,
    };
    if (!taken.has(network.apiServer) && !taken.has(network.node)) return network;
  }
  throw new Error(`All ${CHOICES} networks of the cluster lab are in use; see the addresses of lo: ip address show lo`);
}

export async function addAddresses(network: ClusterNetwork): Promise<void> {
  for (const address of [network.apiServer, network.node]) await ip("address", "add", `${address}/32`, "dev", "lo");
}

/** Removes the addresses and waits until the kernel has taken down the links of dead pods. */
export async function removeAddresses(network: ClusterNetwork): Promise<void> {
  const own = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []));
  for (const address of [network.apiServer, network.node]) {
    if (own.has(address)) await ip("address", "del", `${address}/32`, "dev", "lo");
  }
  const routed = async () => (await ip("route", "show", "root", network.podSubnet)).trim() === "";
  await until(`the host has no route into ${network.podSubnet}`, routed, LINKS_LIMIT_MS);
}

function ip(...args: readonly string[]): Promise<string> {
  return run(["ip", ...args], { limitMs: IP_LIMIT_MS });
}
