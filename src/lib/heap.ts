/** The heap of the thread that asks. */

/**
 * As soon as the thread has nothing to do, garbage is collected, and functions lose what they were compiled to: most ran
 * at the start and never will again, and the others are compiled when they are next called.
 */
export function shrinkHeap(): void {
  // Bun has no other way to the same: `Bun.gc()` keeps the code, which is the larger part.
  Bun.shrink();
}
