/**
 * One owner for each handle. A handle is released at the end of its `using` scope; the FinalizationRegistry is the alarm
 * for those that were forgotten, not the release.
 */

import type { Pointer } from "bun:ffi";
import { errno } from "./errno.ts";
import { SysError } from "./sys-error.ts";

const live = new Map<string, number>();
let alarm: ((report: string) => void) | undefined;
let takesStacks = false;

const forgotten = new FinalizationRegistry<{ kind: string; stack: string | undefined }>(({ kind, stack }) => {
  alarm?.(`a ${kind} was never released${stack === undefined ? "" : `; it was made at ${stack}`}`);
});

/** Handles of this thread that are not released yet, by kind; kinds without any are left out. */
export function liveHandles(): Readonly<Record<string, number>> {
  return Object.fromEntries([...live].filter(([, count]) => count !== 0));
}

/**
 * From now on `report` hears of every handle of this thread that the garbage collector found unreleased. With `stacks`
 * also where it was made, which costs more than most handles do: taking a link into a pod makes hundreds.
 */
export function onForgottenHandle(report: (text: string) => void, stacks: boolean): void {
  alarm = report;
  takesStacks = stacks;
}

/** The address of a handle, for the modules of ffi/ alone. */
export const ADDRESS: unique symbol = Symbol("address");

/** Counts one live handle of `kind`; `end` is called once, when it is released. */
class Life {
  readonly #kind: string;

  constructor(owner: object, kind: string) {
    this.#kind = kind;
    live.set(kind, (live.get(kind) ?? 0) + 1);
    const stack = takesStacks ? new Error().stack : undefined;
    forgotten.register(owner, { kind, stack }, this);
  }

  end(): void {
    live.set(this.#kind, (live.get(this.#kind) ?? 0) - 1);
    forgotten.unregister(this);
  }
}

/** A C object, freed once. */
export class Owned implements Disposable {
  readonly #kind: string;
  readonly #free: (address: Pointer) => unknown;
  readonly #life: Life;
  #address: Pointer | null;

  /** `kind` is the function that made it. Throws SysError with the current errno when `address` is null. */
  constructor(kind: string, address: Pointer | bigint | null, free: (address: Pointer) => unknown) {
    if (address === null) throw new SysError(kind, errno(), "memory");
    this.#kind = kind;
    this.#address = Number(address) as Pointer;
    this.#free = free;
    this.#life = new Life(this, kind);
  }

  get [ADDRESS](): Pointer {
    if (this.#address === null) throw new Error(`A ${this.#kind} was used after its release.`);
    return this.#address;
  }

  [Symbol.dispose](): void {
    if (this.#address === null) return;
    this.#free(this.#address);
    this.#address = null;
    this.#life.end();
  }
}

/** A file descriptor, closed once. */
export class OwnedFd implements Disposable {
  readonly #close: (fd: number) => unknown;
  readonly #life: Life;
  #fd: number;

  constructor(fd: number, close: (fd: number) => unknown) {
    this.#fd = fd;
    this.#close = close;
    this.#life = new Life(this, "descriptor");
  }

  get fd(): number {
    if (this.#fd < 0) throw new Error("A descriptor was used after it was closed or handed on.");
    return this.#fd;
  }

  /** Hands the descriptor to another owner. */
  release(): number {
    const { fd } = this;
    this.#fd = -1;
    this.#life.end();
    return fd;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    this.#close(this.#fd);
    this.#fd = -1;
    this.#life.end();
  }
}
