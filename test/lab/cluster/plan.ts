/** Which releases of Kubernetes a run takes that has only so much time, and when it runs what needs DRANET. */

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

/** DRANET, with empty caches on two processors and nothing beside it. */
export const DRANET_BUILD_MINUTES = 3;

export interface Part {
  readonly files: readonly string[];
  /** What each of them may take. */
  readonly fileMinutes: number;
}

/** The files that need DRANET come last, and where it has to be built first each of them wants the time for that too. */
export function planDranet(files: readonly string[], fileMinutes: number, isBuilt: boolean): readonly Part[] {
  const needsDranet = (file: string) => /\/dranet-[\w-]+\.test\.ts$/.test(file);
  return [
    { files: files.filter((file) => !needsDranet(file)), fileMinutes },
    { files: files.filter(needsDranet), fileMinutes: fileMinutes + (isBuilt ? 0 : DRANET_BUILD_MINUTES) },
  ];
}
