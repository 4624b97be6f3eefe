import { describeError } from "../lib/errors.ts";

/** Status codes, in gRPC's numbering. */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** A call ended with a status other than OK. A handler throws it to choose what its caller sees. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  /** One of `Code`, or what a newer peer sent. */
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** What a caller is told about something thrown: itself if it is a StatusError, else UNKNOWN and the whole story. */
  static from(thrown: unknown): StatusError {
    if (thrown instanceof StatusError) return thrown;
    return new StatusError(Code.UNKNOWN, describeError(thrown), { cause: thrown });
  }
}
