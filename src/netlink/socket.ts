/** Requests to the kernel and their answers, synchronously: the caller is a kernel Worker. */

import { constants } from "node:os";
import { type NlMessage, NlSocket } from "../../ffi/libnl.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { ConflictError, ProtocolError } from "../lib/errors.ts";
import { NETLINK_ROUTE, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP } from "./constants.ts";
import { readMessages, readOutcome } from "./message.ts";

/** The kernel answers while the request is sent; only a lock that another task holds for long makes it wait. */
const ANSWER_LIMIT_MS = 30_000;
/** Each repetition of a dump is as long as the first; a table that changes all the time is not worth more. */
const DUMP_TRIES = 12;

export interface Answer {
  readonly type: number;
  /** Valid only until the reader returns. */
  readonly payload: Uint8Array;
}

/** A netlink socket of the namespace that it was opened in. */
export class NetlinkSocket implements Disposable {
  readonly #socket: NlSocket;
  #spoilt = false;

  /** Throws SysError when the kernel lacks the protocol (EPROTONOSUPPORT). */
  constructor(protocol = NETLINK_ROUTE) {
    this.#socket = new NlSocket(protocol);
  }

  /** An answer was not read to its end: the kernel may refuse the next request. Dispose, and open another. */
  get spoilt(): boolean {
    return this.#spoilt;
  }

  /** Has the kernel do something. `op` and `target` name it in the SysError that a refusal throws. */
  request(op: string, target: string, message: NlMessage): void {
    this.#exchange(op, target, message, () => undefined);
  }

  /** Has the kernel tell about one object: the last thing that `read` made of the answers. */
  get<T>(op: string, target: string, message: NlMessage, read: (answer: Answer) => T | undefined): T | undefined {
    let found: T | undefined;
    this.#exchange(op, target, message, (answer) => {
      found = read(answer) ?? found;
    });
    return found;
  }

  /**
   * A whole list, consistent: while the kernel says that something changed in between, it is read again. Throws
   * ConflictError when it never held still.
   */
  dump<T>(op: string, target: string, build: () => NlMessage, read: (answer: Answer) => T | undefined): T[] {
    for (let attempt = 0; attempt < DUMP_TRIES; attempt++) {
      using message = build();
      const found: T[] = [];
      const consistent = this.#exchange(op, target, message, (answer) => {
        const value = read(answer);
        if (value !== undefined) found.push(value);
      });
      if (consistent) return found;
    }
    throw new ConflictError(`${op} ${target} was interrupted ${DUMP_TRIES} times by changes`);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  /** Sends and reads to the end of the answer. False when a dump was interrupted. */
  #exchange(op: string, target: string, message: NlMessage, read: (answer: Answer) => void): boolean {
    this.#spoilt = true;
    const sequence = this.#socket.send(message);
    let consistent = true;
    for (;;) {
      const datagram = this.#socket.receive(ANSWER_LIMIT_MS);
      if (datagram === undefined) throw new SysError(op, constants.errno.ETIMEDOUT, target);
      for (const answer of readMessages(datagram)) {
        // What is left of a request that an error cut short.
        if (answer.sequence !== sequence) continue;
        if ((answer.flags & NLM_F_DUMP_INTR) !== 0) consistent = false;
        if (answer.type === NLMSG_NOOP) continue;
        if (answer.type === NLMSG_ERROR || answer.type === NLMSG_DONE) {
          const { errno, kernelMessage } = readOutcome(answer);
          this.#spoilt = false;
          if (errno !== 0) throw new SysError(op, errno, target, kernelMessage);
          return consistent;
        }
        if (answer.type < NLMSG_MIN_TYPE) throw new ProtocolError(`${op}: control message ${answer.type} is unknown`);
        read(answer);
      }
    }
  }
}

/** Types below are the protocol's own. */
const NLMSG_MIN_TYPE = 0x10;
