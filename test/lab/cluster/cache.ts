/** Where built programs are kept, outside the tree, so that a fresh checkout does not build them again. */
import { homedir } from "node:os";
import { join } from "node:path";

const base = process.env["XDG_CACHE_HOME"] ?? "";

export const CLUSTER_CACHE = join(base === "" ? join(homedir(), ".cache") : base, "netferry/cluster");
