/** Test files that run in the guest, where the kernel is another one: with root, a real containerd, and no network. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { countRun, type SuiteResult } from "../junit.ts";
import { containerdParts } from "../runtime/containerd.ts";
import { PROJECT, startVm, type Vm, type VmOptions } from "./vm.ts";

/** How much slower the guest is, with others on the same processors. */
const PATIENCE = 8;
const TEST_LIMIT_MS = 300_000;
const FILE_LIMIT_MS = 1_200_000;

export interface GuestTests extends AsyncDisposable {
  readonly vm: Vm;
  /** Runs one file, by its path in the project. Prints what it prints. */
  run(file: string): Promise<SuiteResult>;
}

/** Boots a machine for them. What they need of Debian is fetched before, since the guest has no network. */
export async function startGuestTests(options: VmOptions): Promise<GuestTests> {
  await containerdParts({ suite: "sid" });
  const reports = mkdtempSync(join(tmpdir(), "netferry-guest-tests-"));
  const vm = await startVm({ ...options, writable: [...(options.writable ?? []), reports] });
  return {
    vm,
    run: (file) => runFile(vm, reports, file),
    [Symbol.asyncDispose]: async () => {
      await vm[Symbol.asyncDispose]();
      rmSync(reports, { recursive: true });
    },
  };
}

async function runFile(vm: Vm, reports: string, file: string): Promise<SuiteResult> {
  const report = join(reports, "junit.xml");
  const environment = `TEST_PATIENCE=${PATIENCE} CI=true`;
  const reporter = `--reporter=junit --reporter-outfile=${report}`;
  const command = `${process.execPath} test --timeout=${TEST_LIMIT_MS} ${reporter} ./${relative(PROJECT, file)}`;
  const { stderr, exitCode } = await vm.exec(`cd ${PROJECT} && ${environment} ${command}`, { limitMs: FILE_LIMIT_MS });
  console.log(stderr.trim());
  return countRun({
    junit: readReport(report),
    files: [relative(PROJECT, file)],
    exitCode,
    strict: true,
  });
}

function readReport(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // the runner died before it wrote one, which countRun() counts
  }
}
