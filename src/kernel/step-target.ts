import type { NetlinkSocket } from "../netlink/socket.ts";
import type { LinkPlace } from "./link-programs.ts";

/** The link that a step is applied to, and what it is reached by. */
export interface StepTarget extends LinkPlace {
  readonly ifindex: number;
  /** Routes that name this index mean the link. */
  readonly wasIfindex: number | undefined;
  /** Runs a task with a socket of generic netlink. */
  readonly withGeneric: <T>(task: (socket: NetlinkSocket) => T) => T;
}
