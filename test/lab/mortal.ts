/** An agent's death with one of its changes to the kernel, played within the test's process: what it holds is of no use from then on. */

import type { Kernel } from "../../src/kernel/calls.ts";

/** What changes nothing: to die with one of these is to die after the change before it. */
const READS: ReadonlySet<string> = new Set([
  "holdNetns",
  "listLinks",
  "listRules",
  "readAddressKind",
  "readCharDevice",
  "readFunction",
  "readNamespace",
  "readVf",
  "scan",
  "snapshotLink",
] satisfies (keyof Kernel)[]);

export interface Death {
  /** Number of the change to the kernel, from 1, with which it dies. */
  readonly atChange: number;
  /** The kernel did what was asked, and nobody heard the answer. */
  readonly executed: boolean;
}

export class Life {
  #changes = 0;
  #dead = false;
  readonly #death: Death | undefined;

  constructor(death?: Death) {
    this.#death = death;
  }

  /** How many changes to the kernel were asked for. */
  get changes(): number {
    return this.#changes;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** The kernel, as long as the agent lives. */
  kernel(kernel: Kernel): Kernel {
    const call = async (name: keyof Kernel, args: unknown[]) => {
      this.#check();
      if (!READS.has(name)) this.#changes += 1;
      const isLast = !READS.has(name) && this.#changes === this.#death?.atChange;
      const run = () => (kernel[name] as (...args: unknown[]) => Promise<unknown>)(...args);
      if (isLast) {
        if (this.#death?.executed === true) await run().catch(() => undefined);
        this.#dead = true;
      }
      this.#check();
      const answer = await run();
      this.#check();
      return answer;
    };
    return new Proxy(kernel, {
      get: (_, name) => (name === "then" ? undefined : (...args: unknown[]) => call(name as keyof Kernel, args)),
    });
  }

  /** An object of the agent's own, whose methods are synchronous. */
  own<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          this.#check();
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  }

  #check(): void {
    if (this.#dead) throw new Error("the agent is dead");
  }
}
