/** One error class for each reaction of a caller. `SysError` (a system call failed) lives in `ffi/`, where calls are made. */

/** The peer broke the protocol: close the connection. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** The kernel, runtime or host lacks a feature: say so once, go without. */
export class NotSupportedError extends Error {
  override readonly name = "NotSupportedError";
  readonly feature: string;

  constructor(feature: string, needs: string, options?: ErrorOptions) {
    super(`${feature} is not supported here: ${needs}`, options);
    this.feature = feature;
  }
}

/** A value that the user wrote is wrong; `path` names it (`interface.mtu`, `--filter`). */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly path: string;

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(path === "" ? problem : `${path}: ${problem}`, options);
    this.path = path;
  }
}

/** A claim cannot be served. The message goes to the kubelet and so to the user: a full sentence. */
export class ClaimError extends Error {
  override readonly name = "ClaimError";
}

/** Somebody else changed the object in between: read again and retry. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** The message of an error followed by those of its causes, as one sentence. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    const message = at instanceof Error ? at.message : String(at);
    if (!parts.includes(message)) parts.push(message);
  }
  return parts.join(": ");
}

/** Normalises what was thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
