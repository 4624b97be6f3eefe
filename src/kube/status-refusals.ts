/** Why the API server did not take a claim's status. */

import { isForbidden, KubeError } from "./client/kube-error.ts";

/** The server does not like the document, and never will. */
export function isRefused(error: unknown): error is KubeError {
  return error instanceof KubeError && (error.status === 400 || error.status === 422);
}

/**
 * A missing permission on resourceclaims/status is a 403; one on resourceclaims/driver is an error of validation (422,
 * kubernetes `pkg/registry/resource`, from 1.36 on).
 */
export function isPermissionMissing(error: unknown): boolean {
  return isForbidden(error) || (isRefused(error) && error.message.includes('"resourceclaims/driver"'));
}
