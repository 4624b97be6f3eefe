/** How a pod says in standalone mode which claims it uses. It means nothing where there is an API server. */

import { ClaimError } from "../lib/errors.ts";

export const CLAIMS_ANNOTATION = "netferry.dev/claims";

/** Names of claims in the pod's namespace, each once, in the order written. Throws a ClaimError. */
export function claimNames(annotations: Readonly<Record<string, string>>): readonly string[] {
  const text = annotations[CLAIMS_ANNOTATION];
  if (text === undefined) return [];
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (name.length > 253 || !/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(name)) {
      throw new ClaimError(
        `annotation ${CLAIMS_ANNOTATION} is ${JSON.stringify(text)}, in which ${JSON.stringify(name)} is not the name of a claim; write name or name,name`,
      );
    }
  }
  return [...new Set(names)];
}
