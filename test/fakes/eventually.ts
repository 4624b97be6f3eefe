import { PATIENCE } from "./patience.ts";

/** Asks until the answer is true; throws after `limitMs` with `what` was waited for. For conditions that give no event. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 5_000,
): Promise<void> {
  const endMs = performance.now() + limitMs * PATIENCE;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await Bun.sleep(5);
  }
}
