/** What a section of the benchmark hands over: it runs as a process of its own and prints this as JSON. */
export interface Figures {
  /** Milliseconds by series, one value a round. */
  readonly series: Readonly<Record<string, readonly number[]>>;
  /** Single values: MB, versions. */
  readonly facts: Readonly<Record<string, number | string>>;
}

/** Collects series. */
export class Recorder {
  readonly #series = new Map<string, number[]>();
  readonly facts: Record<string, number | string> = {};

  add(name: string, ms: number): void {
    const known = this.#series.get(name);
    if (known === undefined) this.#series.set(name, [ms]);
    else known.push(ms);
  }

  /** Adds what `task` takes. */
  async time<T>(name: string, task: () => Promise<T> | T): Promise<T> {
    const startMs = performance.now();
    const value = await task();
    this.add(name, performance.now() - startMs);
    return value;
  }

  /** Forgets what was added: the rounds before were for warming up. */
  clear(): void {
    this.#series.clear();
  }

  get figures(): Figures {
    return { series: Object.fromEntries(this.#series), facts: this.facts };
  }
}

/** The number of rounds, the first argument of a section. */
export function roundsAsked(): number {
  const rounds = Number(process.argv[2]);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("The first argument is the number of rounds.");
  return rounds;
}

/** Resolves once the parent has it all: the exit of a process does not wait for a pipe. */
export function hand(figures: Figures): Promise<unknown> {
  return Bun.write(Bun.stdout, JSON.stringify(figures));
}
