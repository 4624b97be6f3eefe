import { lookup } from "node:dns/promises";

/** The IP addresses of an API server's URL. Empty when its name cannot be resolved now. */
export async function serverAddresses(server: string): Promise<readonly string[]> {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, "");
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return []; // a resolver that is down; the default routes still tell the uplink
  }
}
