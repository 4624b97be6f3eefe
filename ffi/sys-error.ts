import { constants } from "node:os";

const NAMES = new Map<number, string>(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** The symbolic name of a Linux errno (`ENODEV`), or `errno 999` where it has none. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/**
 * A system call or kernel request failed. `op` is the call or message (`setns`, `RTM_NEWLINK`), `target` the object,
 * `kernelMessage` the text of the kernel's extended ACK. Compare `errno`, never the text.
 */
export class SysError extends Error {
  override readonly name = "SysError";
  readonly op: string;
  readonly errno: number;
  readonly errnoName: string;
  readonly target: string;
  readonly kernelMessage: string | undefined;

  constructor(op: string, errno: number, target: string, kernelMessage?: string) {
    const named = errnoName(errno);
    super(`${op} ${target} failed with ${named}${kernelMessage === undefined ? "" : ` (${kernelMessage})`}`);
    this.op = op;
    this.errno = errno;
    this.errnoName = named;
    this.target = target;
    this.kernelMessage = kernelMessage;
  }
}
