/** Asks every 50 ms until the answer is true; throws after `limitMs` with `what` was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await Bun.sleep(50); // others share the machine
  }
}
