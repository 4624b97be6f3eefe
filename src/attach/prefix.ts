import { parsePrefix } from "../config/ip.ts";

/** Whether the network, a CIDR, holds this address. */
export function holds(network: string, address: string): boolean {
  const length = network.split("/")[1] ?? "";
  const [wanted, given] = [parsePrefix(network), parsePrefix(`${address}/${length}`)];
  return wanted !== undefined && wanted.family === given?.family && wanted.network === given.network;
}
