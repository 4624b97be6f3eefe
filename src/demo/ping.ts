/** What the demo's containers do: they ping. */

import { EchoSocket } from "../../ffi/ping.ts";
import { parseIp } from "../netlink/ip.ts";

export interface PingResult {
  readonly address: string;
  /** Milliseconds until each answer came; none when nobody answered. */
  readonly times: readonly number[];
}

const ECHOES = 3;
const ECHO_LIMIT_MS = 1_000;
/** The first one may be lost while the cable comes up. */
const TRIES = 5;

/** From this thread's network namespace. Throws SysError when no route leads to an address. */
export function pingAll(addresses: readonly string[]): readonly PingResult[] {
  using socket = new EchoSocket();
  return addresses.map((address) => {
    const bytes = parseIp("ipv4", address);
    const times: number[] = [];
    for (let i = 0; i < TRIES && times.length < ECHOES; i++) {
      const time = socket.echo(bytes, ECHO_LIMIT_MS);
      if (time !== undefined) times.push(time);
    }
    return { address, times };
  });
}
