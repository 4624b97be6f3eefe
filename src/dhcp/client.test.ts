import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { parseIp } from "../netlink/ip.ts";
import { type DhcpChannel, type Incoming, takeLease } from "./client.ts";
import { OPTION } from "./lease.ts";
import { BOOTREPLY, type DhcpMessage } from "./message.ts";

const TYPE = { discover: 1, offer: 2, nak: 6 };

/** A server that offers an address and refuses whoever asks for it, at once. */
class RefusingServer implements DhcpChannel {
  readonly asked: number[] = [];
  readonly #answers: Incoming[] = [];

  send(message: DhcpMessage): void {
    const [type = 0] = message.options.get(OPTION.messageType) ?? [];
    this.asked.push(type);
    const options = new Map<number, Uint8Array>([
      [OPTION.messageType, Uint8Array.of(type === TYPE.discover ? TYPE.offer : TYPE.nak)],
      [OPTION.serverIdentifier, parseIp("ipv4", "10.0.0.1")],
    ]);
    const answer = { ...message, op: BOOTREPLY, yiaddr: "10.0.0.9", options };
    this.#answers.push({ message: answer, hardwareAddress: "02:00:00:00:00:01" });
  }

  async receive(signal: AbortSignal): Promise<Incoming> {
    signal.throwIfAborted();
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error("nobody asked");
    return answer;
  }
}

test("takeLease() asks a server that refuses what it offered again, but not without a pause", async () => {
  const clock = new ManualClock();
  const server = new RefusingServer();
  const stop = new AbortController();
  const asker = { hardwareAddress: "02:00:00:00:00:02", broadcast: false };
  const lease = takeLease(server, asker, { clock, signal: stop.signal });
  await eventually("it pauses", () => clock.sleeping.length === 1);
  expect(server.asked).toHaveLength(2);
  clock.advance(1_000);
  await eventually("it asked again", () => clock.sleeping.length === 1);
  expect(server.asked).toHaveLength(4);
  stop.abort(new Error("time is up"));
  expect(lease).rejects.toThrow("the DHCP server 10.0.0.1 offered 10.0.0.9 and then refused it");
  await lease.catch(() => undefined);
});
