/** The suites of `./dev test`. */

export interface Suite {
  /** Glob patterns; one for each folder, since a pattern of Bun takes no slash within braces. They run in this order. */
  readonly files: readonly string[];
  readonly testTimeoutMs: number;
  /** Arguments of `deploy/build.ts` for the executables that the suite runs. */
  readonly builds?: readonly string[];
  /** Without root the suite runs as root of a user namespace of its own. */
  readonly needsRoot?: boolean;
  /** Each file is a run of its own, which starts while that many minutes are left. */
  readonly fileMinutes?: number;
  /** What the suites before it leave of a limit. */
  readonly reservedMinutes?: number;
  /** Runs for releases of Kubernetes. */
  readonly byRelease?: boolean;
}

export const SUITES: Readonly<Record<string, Suite>> = {
  unit: {
    files: ["{src,ffi,deploy}/**/*.test.ts", "test/{bench,lab,fakes}/**/*.test.ts", "test/*.test.ts"],
    testTimeoutMs: 10_000,
  },
  kernel: {
    files: ["test/{abi,kernel,build}/**/*.test.ts"],
    testTimeoutMs: 60_000,
    builds: ["amd64", "arm64", "faults"],
    needsRoot: true,
  },
  runtime: {
    files: ["test/runtime/**/*.test.ts"],
    testTimeoutMs: 180_000,
    builds: ["amd64", "faults"],
    needsRoot: true,
  },
  vm: {
    files: ["test/vm/*.test.ts"],
    // Emulated processors, and others who use the real ones.
    testTimeoutMs: 600_000,
    builds: ["amd64", "faults"],
    fileMinutes: 4,
  },
  cluster: {
    // What users meet every day comes first, where the time may be short, and the longest, which takes 7 minutes.
    files: ["test/cluster/{claims,status,failures,rbac}.test.ts", "test/cluster/**/*.test.ts"],
    testTimeoutMs: 400_000,
    builds: ["faults"],
    fileMinutes: 4,
    reservedMinutes: 12,
    byRelease: true,
  },
};

/** The suite's files, each once. */
export function filesOf(suite: Suite, project: string): string[] {
  return [...new Set(suite.files.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(project)].sort()))];
}
