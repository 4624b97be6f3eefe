import { newestRelease } from "../lab/cluster/modules.ts";

/** The release that the suite runs against: the runner's choice, else the newest of the lab. */
export const RELEASE = process.env["NETFERRY_KUBERNETES"] ?? newestRelease();
