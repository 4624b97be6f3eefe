/** Which releases of Kubernetes a run takes that has only so much time. */

export interface Situation {
  /** Oldest first. */
  readonly releases: readonly string[];
  /** Those whose programs are all in the cache. */
  readonly built: readonly string[];
  readonly minutesLeft: number;
  /** What one test file may take. */
  readonly fileMinutes: number;
}

export interface Plan {
  /** In this order; the newest one may have to be built. */
  readonly releases: readonly string[];
  /** A sentence for each release that is left out. */
  readonly leftOut: readonly string[];
}

/** One release, containerd and Helm, with empty caches on two processors and nothing beside them. */
export const BUILD_MINUTES = 13;

/** The newest release where it is built or there is time to build it, and the others where they are built. */
export function planReleases({ releases, built, minutesLeft, fileMinutes }: Situation): Plan {
  const newest = releases.at(-1);
  const leftOut = new Map<string, string>();
  for (const release of releases) {
    const minutes = built.includes(release) ? fileMinutes : fileMinutes + BUILD_MINUTES;
    if (!built.includes(release) && release !== newest) leftOut.set(release, "its programs are not in the cache");
    else if (minutesLeft < minutes)
      leftOut.set(release, `${minutesLeft.toFixed(0)} minutes are left, and it wants ${minutes} at least`);
  }
  return {
    releases: releases.filter((release) => !leftOut.has(release)).toReversed(),
    leftOut: [...leftOut].map(([release, why]) => `Kubernetes ${release} is not run: ${why}`),
  };
}
