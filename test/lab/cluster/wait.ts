/** Limits are those of a machine of one's own; others share it, and a wait that succeeds costs no more. */
const PATIENCE = 3;

/** Asks every 50 ms until the answer is true; throws when it is not within a limit with `what` was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const startMs = performance.now();
  while (!(await condition())) {
    const waitedMs = performance.now() - startMs;
    if (waitedMs > limitMs * PATIENCE) throw new Error(`not within ${Math.round(waitedMs)} ms: ${what}`);
    await Bun.sleep(50); // a busy loop would take the time of what it waits for
  }
}
