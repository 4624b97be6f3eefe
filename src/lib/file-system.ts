import { statSync } from "node:fs";
import { dirname } from "node:path";

/** Whether both are on one file system; of what does not exist its nearest parent counts. */
export function isOnSameFileSystem(left: string, right: string): boolean {
  return deviceOf(left) === deviceOf(right);
}

function deviceOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.dev ?? deviceOf(dirname(path));
}
