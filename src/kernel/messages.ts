/** What main thread and kernel Worker say to each other. */

import { SysError } from "../../ffi/sys-error.ts";
import { ConflictError, NotSupportedError, ProtocolError } from "../lib/errors.ts";
import type { KernelCalls } from "./calls.ts";

export type CallName = keyof KernelCalls;

export type ToWorker =
  | { readonly kind: "call"; readonly id: number; readonly call: CallName; readonly request: unknown }
  /** The first message, where procfs is not at `/proc`. */
  | { readonly kind: "useProcRoot"; readonly procRoot: string }
  /** Say `pong`. */
  | { readonly kind: "ping" }
  /** From now on tell of changes of links, addresses and routes. */
  | { readonly kind: "watch" }
  /** Nobody needs you now: give back the memory that can be had again. */
  | { readonly kind: "shrink" }
  /** Release everything, then say `closed`. */
  | { readonly kind: "close" };

export type FromWorker =
  | { readonly kind: "ready" }
  /** It cannot start, and never will. */
  | { readonly kind: "unable"; readonly error: PlainError }
  | { readonly kind: "pong" }
  /** As JSON: of a thousand links it passes in a fifth of the time that a structured clone takes. Absent for none. */
  | { readonly kind: "answer"; readonly id: number; readonly json?: string }
  | { readonly kind: "failure"; readonly id: number; readonly error: PlainError }
  /** Something changed, or might have: read again what matters. */
  | { readonly kind: "changed" }
  /** Changes cannot be watched any more until the next try; `problem` says why. */
  | { readonly kind: "watchFailed"; readonly error: PlainError }
  | { readonly kind: "forgotten"; readonly report: string }
  | { readonly kind: "closed" };

/** An error as plain data; those that callers react to keep their class. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly sys?: {
    readonly op: string;
    readonly errno: number;
    readonly target: string;
    readonly kernelMessage?: string;
  };
  readonly feature?: string;
  readonly cause?: PlainError;
}

export function toPlainError(thrown: unknown): PlainError {
  if (!(thrown instanceof Error)) return { name: "Error", message: String(thrown) };
  const { name, message, stack, cause } = thrown;
  return {
    name,
    message,
    ...(stack === undefined ? {} : { stack }),
    ...(thrown instanceof SysError ? { sys: sysFields(thrown) } : {}),
    ...(thrown instanceof NotSupportedError ? { feature: thrown.feature } : {}),
    ...(cause === undefined ? {} : { cause: toPlainError(cause) }),
  };
}

function sysFields({ op, errno, target, kernelMessage }: SysError): NonNullable<PlainError["sys"]> {
  return { op, errno, target, ...(kernelMessage === undefined ? {} : { kernelMessage }) };
}

/** The error again, an instance of its class, with the stack of the Worker. */
export function fromPlainError(plain: PlainError): Error {
  const error = instanceOf(plain);
  error.message = plain.message;
  if (plain.stack !== undefined) error.stack = plain.stack;
  if (plain.cause !== undefined) error.cause = fromPlainError(plain.cause);
  return error;
}

function instanceOf({ name, message, sys, feature = "" }: PlainError): Error {
  if (sys !== undefined) return new SysError(sys.op, sys.errno, sys.target, sys.kernelMessage);
  switch (name) {
    case "NotSupportedError":
      return new NotSupportedError(feature, "");
    case "ProtocolError":
      return new ProtocolError(message);
    case "ConflictError":
      return new ConflictError(message);
    default:
      return new Error(message);
  }
}
