/** What the kernel and DRANET take for a link's name. */

import { z } from "zod";

const MAX_NAME_BYTES = 15; // IFNAMSIZ counts the final zero byte
/** `all` and `default` are entries of /proc/sys/net/ipv4/conf, `lo` is in the pod already. */
const TAKEN_NAMES = ["all", "default", "lo"];

/** What is wrong with a link's name, or `undefined`. */
export function linkNameProblem(name: string): string | undefined {
  const quoted = JSON.stringify(name);
  if (name === "") return "is empty";
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `${quoted} is longer than ${MAX_NAME_BYTES} bytes`;
  if (name === "." || name === "..") return `${quoted} is not allowed as a link's name`;
  if (/\s/.test(name)) return `${quoted} holds a space`;
  const strange = /[^\p{L}\p{Nd}_.-]/u.exec(name)?.[0];
  if (strange !== undefined)
    return `${quoted} holds ${JSON.stringify(strange)} and may hold letters, digits, '-', '_' and '.' only`;
  if (TAKEN_NAMES.includes(name)) return `${quoted} means something else to the kernel`;
  return undefined;
}

export const linkName = z
  .string()
  .superRefine((name, context) => {
    const problem = linkNameProblem(name);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  })
  .meta({ expects: "at most 15 bytes of letters, digits, '-', '_' and '.'; not all, default or lo" });
