import type { Clock } from "../lib/clock.ts";
import type { CallContext } from "../ttrpc/service-router.ts";
import { Budget, budgetMs } from "./budget.ts";

export type Settled = { readonly outcome: "done" } | { readonly outcome: "failed"; readonly error: unknown };
/** How the work of a hook stood when its answer was due. */
export type Ending = (Settled | { readonly outcome: "late"; readonly settled: Promise<Settled> }) & {
  readonly durationMs: number;
  readonly budgetMs: number;
};

/** Runs the work of hooks within their budgets. */
export class HookRunner {
  /** What Configure said; undefined until then, and on runtimes that do not say. */
  requestTimeoutMs: number | undefined;
  readonly #clock: Clock;
  readonly #inFlight = new Set<Promise<unknown>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Never rejects. Resolves when `work` has settled or its budget has ended; late work goes on. */
  async run(context: CallContext, work: (budget: AbortSignal) => Promise<void>): Promise<Ending> {
    const answered = this.#race(context, work);
    this.#inFlight.add(answered);
    try {
      return await answered;
    } finally {
      this.#inFlight.delete(answered);
    }
  }

  /** Resolves when no hook waits for its ending. */
  async drained(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  async #race(context: CallContext, work: (budget: AbortSignal) => Promise<void>): Promise<Ending> {
    using budget = new Budget(budgetMs(context.timeoutMs, this.requestTimeoutMs), context.signal, this.#clock);
    const settled = settle(work, budget.signal);
    const late = budget.ended.then(nextTurn).then(() => ({ outcome: "late", settled }) as const);
    const ending = await Promise.race([settled, late]);
    return { ...ending, durationMs: budget.usedMs, budgetMs: budget.ms };
  }
}

async function settle(work: (budget: AbortSignal) => Promise<void>, budget: AbortSignal): Promise<Settled> {
  try {
    await work(budget);
    return { outcome: "done" };
  } catch (error) {
    return { outcome: "failed", error };
  }
}

/** One turn of the loop: work that ends because its budget does still gets its own word in. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
