/** The client's side of RFC 2131 §4.4: how an address is asked for, extended and given back. */

import { randomInt } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { Deadline } from "../lib/deadline.ts";
import { ClaimError, ProtocolError } from "../lib/errors.ts";
import { backoffDelayMs } from "../lib/retry.ts";
import { parseIp } from "../netlink/ip.ts";
import { type AskedAt, addressIn, type DhcpLease, leaseOf, numberIn, OPTION } from "./lease.ts";
import { BOOTREPLY, BOOTREQUEST, type DhcpMessage } from "./message.ts";

export interface Incoming {
  readonly message: DhcpMessage;
  /** Of who sent the frame. */
  readonly hardwareAddress: string;
}

/** Where messages of one exchange go out and answers come in. */
export interface DhcpChannel {
  /** Throws SysError. */
  send(message: DhcpMessage): void;
  /** The next message. Rejects when `signal` aborts, or when the socket died. */
  receive(signal: AbortSignal): Promise<Incoming>;
}

export interface Asker {
  /** The hardware address that the lease is for. */
  readonly hardwareAddress: string;
  /** The link has another one now: only a broadcast answer reaches it. */
  readonly broadcast: boolean;
  /** An address that it had before, which it would like again. */
  readonly wish?: string;
}

export interface Limits {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const TYPE = { discover: 1, offer: 2, request: 3, ack: 5, nak: 6, release: 7 } as const;
const NO_ADDRESS = "0.0.0.0";
const RESEND = { firstMs: 700, limitMs: 4_000, jitter: 0.1 };
const WANTED = [
  OPTION.classlessRoutes, // before the router, as RFC 3442 wants
  OPTION.subnetMask,
  OPTION.router,
  OPTION.interfaceMtu,
  OPTION.broadcastAddress,
  OPTION.leaseSeconds,
  OPTION.renewalSeconds,
  OPTION.rebindingSeconds,
];

/** Asks until `signal` aborts, and then rejects with a ClaimError that says how far it came. */
export async function takeLease(channel: DhcpChannel, asker: Asker, limits: Limits): Promise<DhcpLease> {
  let problem = "no DHCP server answered";
  try {
    for (;;) {
      const { hardwareAddress, broadcast, wish } = asker;
      const base = request({ hardwareAddress, broadcast });
      const discover = withOptions(base, TYPE.discover, {
        ...(wish === undefined ? {} : { [OPTION.requestedAddress]: parseIp("ipv4", wish) }),
      });
      const offer = await ask(channel, discover, limits, ({ message }) => {
        const server = addressIn(message.options, OPTION.serverIdentifier);
        return typeOf(message) !== TYPE.offer || server === undefined ? undefined : { server, address: message.yiaddr };
      });
      const named = `the DHCP server ${offer.server}`;
      problem = `${named} offered ${offer.address} and then did not confirm it`;
      const choice = withOptions(base, TYPE.request, {
        [OPTION.requestedAddress]: parseIp("ipv4", offer.address),
        [OPTION.serverIdentifier]: parseIp("ipv4", offer.server),
      });
      const at = askedNow(limits);
      const granted = await ask(channel, choice, limits, (incoming) => {
        const answer = answerOf(incoming, at);
        if (answer instanceof ProtocolError) problem = `what ${named} grants cannot be used: ${answer.message}`;
        return answer instanceof ProtocolError ? undefined : answer;
      });
      if (granted !== "refused") return granted;
      problem = `${named} offered ${offer.address} and then refused it`;
      await limits.clock.sleep(RESEND.firstMs, limits.signal); // it may do so again, as fast as it is asked
    }
  } catch (cause) {
    if (!limits.signal.aborted) throw cause;
    throw new ClaimError(problem, { cause });
  }
}

/** Asks for more time until `signal` aborts. `undefined`: nobody answered, and the lease is as it was. */
export async function extendLease(
  channel: DhcpChannel,
  lease: DhcpLease,
  limits: Limits,
): Promise<DhcpLease | "refused" | undefined> {
  const base = request({ hardwareAddress: lease.hardwareAddress, broadcast: false, ciaddr: lease.address });
  const at = askedNow(limits);
  try {
    return await ask(channel, withOptions(base, TYPE.request, {}), limits, (incoming) => {
      const answer = answerOf(incoming, at);
      if (answer instanceof ProtocolError) return undefined;
      return answer === "refused" || answer?.address === lease.address ? answer : undefined;
    });
  } catch (error) {
    if (!limits.signal.aborted) throw error;
    return undefined;
  }
}

/** Tells the server that the address is free. There is no answer to it. */
export function releaseMessage(lease: DhcpLease): DhcpMessage {
  const base = request({ hardwareAddress: lease.hardwareAddress, broadcast: false, ciaddr: lease.address });
  const options = new Map([
    [OPTION.messageType as number, Uint8Array.of(TYPE.release)],
    [OPTION.serverIdentifier as number, parseIp("ipv4", lease.server)],
  ]);
  return { ...base, options };
}

function request(client: {
  readonly hardwareAddress: string;
  readonly broadcast: boolean;
  readonly ciaddr?: string;
}): DhcpMessage {
  return {
    op: BOOTREQUEST,
    xid: randomInt(0x1_0000_0000),
    elapsedSeconds: 0,
    ciaddr: NO_ADDRESS,
    yiaddr: NO_ADDRESS,
    siaddr: NO_ADDRESS,
    giaddr: NO_ADDRESS,
    options: new Map(),
    ...client,
  };
}

function withOptions(base: DhcpMessage, type: number, options: Readonly<Record<number, Uint8Array>>): DhcpMessage {
  const more = Object.entries(options).map(([code, value]) => [Number(code), value] as const);
  return {
    ...base,
    options: new Map([
      [OPTION.messageType, Uint8Array.of(type)],
      ...more,
      [OPTION.parameterList, Uint8Array.from(WANTED)],
    ]),
  };
}

/** Sends the message, again and again, until `accept` finds what it looks for among the answers to it. */
async function ask<T>(
  channel: DhcpChannel,
  message: DhcpMessage,
  { clock, signal }: Limits,
  accept: (incoming: Incoming) => T | undefined,
): Promise<T> {
  const startMs = clock.nowMs();
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    const elapsedSeconds = Math.max(0, Math.floor((clock.nowMs() - startMs) / 1000));
    channel.send({ ...message, elapsedSeconds });
    using round = new Deadline(signal, backoffDelayMs(RESEND, attempt));
    try {
      for (;;) {
        const incoming = await channel.receive(round.signal);
        const found = isAnswer(incoming.message, message) ? accept(incoming) : undefined;
        if (found !== undefined) return found;
      }
    } catch (error) {
      if (!round.expired) throw error;
    }
  }
}

function isAnswer(answer: DhcpMessage, { xid, hardwareAddress }: DhcpMessage): boolean {
  return answer.op === BOOTREPLY && answer.xid === xid && answer.hardwareAddress === hardwareAddress;
}

function askedNow({ clock }: Limits): AskedAt {
  return { takenAtMs: clock.nowMs(), takenUpMs: clock.upMs() };
}

/** `undefined` for a message that is neither yes nor no; a ProtocolError for a yes that cannot be used. */
function answerOf(
  { message, hardwareAddress }: Incoming,
  at: AskedAt,
): DhcpLease | "refused" | ProtocolError | undefined {
  const type = typeOf(message);
  if (type === TYPE.nak) return "refused";
  if (type !== TYPE.ack) return undefined;
  try {
    return leaseOf({ message, serverHardwareAddress: hardwareAddress, ...at });
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}

function typeOf({ options }: DhcpMessage): number | undefined {
  return numberIn(options, OPTION.messageType, 1);
}
