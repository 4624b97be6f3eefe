/** TCX programs: those that run at a link's entrance and exit without a queueing discipline (Linux 6.6, linux/bpf.h). */

import { constants } from "node:os";
import {
  BPF_TCX_EGRESS,
  BPF_TCX_INGRESS,
  detachBpfLink,
  detachProgram,
  openBpfLink,
  openProgram,
  programName,
  queryPrograms,
} from "../../ffi/bpf.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { NotSupportedError } from "../lib/errors.ts";

export interface TcxProgram {
  readonly direction: "ingress" | "egress";
  /** Of the kernel, for as long as the program lives. */
  readonly programId: number;
  /** 0: attached without a bpf_link. */
  readonly linkId: number;
  /** Empty when its loader gave none. */
  readonly name: string;
}

const ATTACH_TYPES = { ingress: BPF_TCX_INGRESS, egress: BPF_TCX_EGRESS } as const;
const { EINVAL, ENOSYS, EPERM, ENODEV, ENOENT } = constants.errno;

/**
 * Of the link with this index in the namespace that the thread is in; none when there is no such link. Throws
 * NotSupportedError on a kernel without TCX, and where this process may not ask.
 */
export function listTcx(ifindex: number): TcxProgram[] {
  return (["ingress", "egress"] as const).flatMap((direction) =>
    query(ifindex, direction).map((program) => ({ direction, ...program, name: nameOf(program.programId) })),
  );
}

/** Removes the program, whoever holds it there; nothing happens when it is gone. */
export function detachTcx(ifindex: number, { direction, programId, linkId }: TcxProgram): void {
  try {
    if (linkId === 0) {
      using program = openProgram(programId);
      detachProgram(ifindex, ATTACH_TYPES[direction], program);
    } else {
      using link = openBpfLink(linkId);
      detachBpfLink(link);
    }
  } catch (error) {
    if (!(error instanceof SysError && error.errno === ENOENT)) throw error;
  }
}

function query(ifindex: number, direction: keyof typeof ATTACH_TYPES): ReturnType<typeof queryPrograms> {
  try {
    return queryPrograms(ifindex, ATTACH_TYPES[direction]);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    if (error.errno === ENODEV) return [];
    if (error.errno === EINVAL || error.errno === ENOSYS)
      throw new NotSupportedError("TCX", "it needs Linux 6.6 or later with CONFIG_BPF_SYSCALL", { cause: error });
    if (error.errno === EPERM)
      throw new NotSupportedError("TCX", "bpf(2) needs CAP_SYS_ADMIN and a seccomp profile that allows it", {
        cause: error,
      });
    throw error;
  }
}

/** Empty for a program that went away in between, or that this process may not look at. */
function nameOf(programId: number): string {
  try {
    using program = openProgram(programId);
    return programName(program);
  } catch (error) {
    if (error instanceof SysError && (error.errno === ENOENT || error.errno === EPERM)) return "";
    throw error;
  }
}
