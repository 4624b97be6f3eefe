/** The lines that go between the host and guest/agent.sh. */

type Pending = PromiseWithResolvers<number>;

export class ControlChannel {
  readonly #pending = new Map<number, Pending>();
  readonly #ready = Promise.withResolvers<number>();
  #failure: Error | undefined;
  #rest = "";
  #last = 0;
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
    this.#ready.promise.catch(() => undefined); // told to whoever waits for it
  }

  /** Resolves with the seconds that the guest's kernel had run when it was ready. */
  get ready(): Promise<number> {
    return this.#ready.promise;
  }

  /** A number for the next command. */
  next(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Has the guest run the command of that number. Resolves with its exit code. */
  start(number: number): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const pending = Promise.withResolvers<number>();
    this.#pending.set(number, pending);
    this.#write(`${number}\n`);
    return pending.promise;
  }

  powerOff(): void {
    if (this.#failure === undefined) this.#write("poweroff\n");
  }

  /** Takes what the guest wrote, however it is cut. */
  push(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#take(line);
  }

  /** The guest is gone: nothing that waits can end any more. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#ready.reject(this.#failure);
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }

  #take(line: string): void {
    const [first = "", second = ""] = line.trim().split(" ");
    if (first === "ready") this.#ready.resolve(Number(second));
    this.#pending.get(Number(first))?.resolve(Number(second));
    this.#pending.delete(Number(first));
  }
}
