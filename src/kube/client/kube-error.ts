/** What the API server, or the way to it, refused. */

import { ConflictError } from "../../lib/errors.ts";

/** The fields of `metav1.Status` that are used here. */
interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message?: string }[] };
}

/** A field that the server's validation refused: `spec.devices[3].name`. */
export interface FieldCause {
  readonly field: string;
  readonly message: string;
}

export interface KubeErrorFields {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The server's reason (`NotFound`, `Forbidden`, `Expired`) or ours: `Unreachable`, `Untrusted`, `Timeout`, `Cut`. */
  readonly reason: string;
  /** `GET /api/v1/nodes/worker-1` */
  readonly request: string;
  readonly causes?: readonly FieldCause[];
}

export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;
  readonly reason: string;
  readonly request: string;
  readonly causes: readonly FieldCause[];

  constructor(fields: KubeErrorFields, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = fields.status;
    this.reason = fields.reason;
    this.request = fields.request;
    this.causes = fields.causes ?? [];
  }
}

/** True when the object is not there (404): a state, where the caller expects one. */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/** True when the credentials are good and a permission is missing (403). */
export function isForbidden(error: unknown): boolean {
  return error instanceof KubeError && error.status === 403;
}

/** True when the server has forgotten the resource version that was asked for: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && error.status === 410;
}

/** An answer that is not 2xx, as the error to throw: ConflictError for 409, with the KubeError as its cause. */
export function errorFromAnswer(status: number, body: string, request: string): Error {
  const parsed = parseStatus(body);
  const reason = parsed?.reason ?? REASONS[status] ?? "Unknown";
  const text = parsed?.message ?? body.trim().slice(0, 200);
  const causes = (parsed?.details?.causes ?? []).map(({ field, message }) => ({
    field: field ?? "",
    message: message ?? "",
  }));
  const error = new KubeError(
    { status, reason, request, causes },
    `the API server answered ${status} ${reason} to ${request}${text === "" ? "" : `: ${text}`}${remedyFor(status)}`,
  );
  return status === 409 ? new ConflictError(error.message, { cause: error }) : error;
}

/** The Status object that a watch sends as its ERROR event. */
export function errorFromStatus(status: unknown, request: string): Error {
  const code = typeof status === "object" && status !== null && "code" in status ? Number(status.code) : 0;
  return errorFromAnswer(Number.isInteger(code) ? code : 0, JSON.stringify(status ?? {}), request);
}

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  422: "Invalid",
  429: "TooManyRequests",
  503: "ServiceUnavailable",
  504: "Timeout",
};

function remedyFor(status: number): string {
  if (status === 401) return " (the token or client certificate is not valid; the credentials were read again)";
  if (status === 403) return " (the service account lacks this verb; compare its ClusterRole with the chart's)";
  return "";
}

function parseStatus(body: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Status) : undefined;
  } catch {
    return undefined; // a proxy's HTML page, most likely; its text is shown as it is
  }
}
