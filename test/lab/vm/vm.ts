/**
 * A real kernel on emulated hardware, for tests of what this machine's own kernel does not have: igb ports with SR-IOV,
 * NUMA nodes, an IOMMU, RDMA by Soft-RoCE and Soft-iWARP, and every kind of virtual link. It needs root and some 2 GiB
 * of memory. There is no systemd, no udev and no network in it: a test loads the modules that it wants.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ControlChannel } from "./control-channel.ts";
import { debianRoot } from "./debian-root.ts";
import { initramfs } from "./initramfs.ts";
import { debianKernel, type KernelName } from "./kernel.ts";
import type { Machine } from "./machine.ts";
import { qemuCommand, type Share } from "./qemu.ts";

export interface VmOptions extends Partial<Machine> {
  readonly kernel: KernelName;
  /** Added to the kernel's command line: `ib_core.netns_mode=0`. */
  readonly kernelArguments?: string;
  /** Folders of the host at the same path in the guest, beside the project's own. */
  readonly readOnly?: readonly string[];
  readonly writable?: readonly string[];
}

export interface Executed {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export const PROJECT = join(import.meta.dir, "../../..");
const DIST = join(PROJECT, "dist");
/** The executable, in the guest too. */
export const NETFERRY = join(DIST, "netferry");
const MACHINE: Machine = { memoryMiB: 2048, cpus: 2, numa: 1, igb: 0, virtio: 0, iommu: false };
const GUEST_PACKAGES = [
  ...["busybox-static", "kmod", "mount", "util-linux", "procps", "pciutils", "openssl"],
  ...["iproute2", "iputils-ping", "ethtool", "bpftool", "radvd"],
  ...["rdma-core", "ibverbs-utils", "ibverbs-providers", "rdmacm-utils"],
  "libseccomp2", // runc, which the lab of containerd brings along
];
/** It takes 5 s alone; others may use the processors too. */
const BOOT_LIMIT_MS = 180_000;
const EXEC_LIMIT_MS = 120_000;
const POWER_OFF_LIMIT_MS = 10_000;

/** Boots one, with the project read-only at its own path. The first boot fetches and builds the parts: 3 minutes. */
export async function startVm(options: VmOptions): Promise<Vm> {
  const kernel = await debianKernel(options.kernel);
  const guest = await debianRoot({ name: "guest", variant: "apt", packages: GUEST_PACKAGES });
  const dir = mkdtempSync(join(tmpdir(), "netferry-vm-"));
  const job = join(dir, "job");
  mkdirSync(job);
  const shares = [
    { tag: "modules", path: kernel.modules, at: `/usr/lib/modules/${kernel.release}` },
    { tag: "job", path: job, at: "/run/lab/job", writable: true },
    ...hostFolders(options).map((folder, index) => ({ tag: `host${index}`, ...folder })),
    ...(existsSync(DIST) ? [{ tag: "dist", path: keepFiles(DIST, join(dir, "dist")), at: DIST }] : []),
  ];
  const paths = { initramfs: join(dir, "initramfs"), console: join(dir, "console.log") };
  writeFileSync(paths.initramfs, initramfs(kernel, join(guest, "usr/bin/busybox"), shares));
  const command = await qemuCommand({
    ...paths,
    kernel: kernel.image,
    machine: { ...MACHINE, ...options },
    shares: [{ tag: "root", path: guest }, ...shares],
    kernelArguments: options.kernelArguments ?? "",
  });
  const vm = new Vm(command, dir, kernel.release);
  try {
    await vm.booted();
    return vm;
  } catch (error) {
    await vm[Symbol.asyncDispose]();
    throw error;
  }
}

/** The project, the Bun that runs this, and what the test wants. */
function hostFolders({ readOnly = [], writable = [] }: VmOptions): Omit<Share, "tag">[] {
  const always = [PROJECT, dirname(process.execPath)].filter((path, index) => index === 0 || !path.startsWith(PROJECT));
  return [...[...always, ...readOnly].map((path) => ({ path })), ...writable.map((path) => ({ path, writable: true }))];
}

/** The files as they are now, whatever is built while the machine runs. Answers `to`. */
function keepFiles(from: string, to: string): string {
  mkdirSync(to);
  for (const name of readdirSync(from))
    try {
      linkSync(join(from, name), join(to, name));
    } catch {
      copyFileSync(join(from, name), join(to, name)); // on another file system
    }
  return to;
}

export class Vm implements AsyncDisposable {
  /** `7.3.4+deb13-amd64` */
  readonly release: string;
  readonly #dir: string;
  readonly #process: Bun.Subprocess<"pipe", "pipe", number>;
  readonly #control: ControlChannel;
  readonly #reading: Promise<void>;

  constructor(command: readonly string[], dir: string, release: string) {
    this.release = release;
    this.#dir = dir;
    const log = openSync(join(dir, "qemu.log"), "w");
    try {
      // When this process dies, its end of the pipe goes, and the guest powers itself off.
      this.#process = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: log });
    } finally {
      closeSync(log);
    }
    const { stdin } = this.#process;
    this.#control = new ControlChannel((line) => {
      stdin.write(line);
      void stdin.flush();
    });
    this.#reading = this.#read();
  }

  /** Seconds of the guest's own clock. */
  async booted(): Promise<number> {
    return await within(BOOT_LIMIT_MS, this.#control.ready, () => `the machine does not boot${this.#logs()}`);
  }

  /** Runs a shell command as root. Several may run at once. */
  async exec(command: string, options: { readonly limitMs?: number } = {}): Promise<Executed> {
    const limitMs = options.limitMs ?? EXEC_LIMIT_MS;
    const number = this.#control.next();
    const file = (suffix: string) => join(this.#dir, "job", `${number}.${suffix}`);
    writeFileSync(file("cmd"), `${command}\n`);
    for (const suffix of ["out", "err"]) writeFileSync(file(suffix), "");
    const output = () => ({ stdout: readFileSync(file("out"), "utf8"), stderr: readFileSync(file("err"), "utf8") });
    const exitCode = await within(limitMs, this.#control.start(number), () => {
      const { stdout, stderr } = output();
      return `the machine does not end "${command}" within ${limitMs} ms; it printed:\n${stdout}${stderr}${this.#logs()}`;
    });
    const result = { ...output(), exitCode };
    for (const suffix of ["cmd", "out", "err"]) rmSync(file(suffix));
    return result;
  }

  /** Runs a shell command that has to succeed, and answers what it printed. Throws with what it complained of. */
  async run(command: string, options: { readonly limitMs?: number } = {}): Promise<string> {
    const { stdout, stderr, exitCode } = await this.exec(command, options);
    if (exitCode !== 0) throw new Error(`in the machine, "${command}" ended with ${exitCode}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Asks until the shell command succeeds. */
  async until(what: string, command: string, limitMs = EXEC_LIMIT_MS): Promise<void> {
    // The guest asks itself: a question over the channel takes a quarter of a second.
    const loop = `until ${command}; do sleep 0.05; done 2>/dev/null`;
    const { exitCode } = await this.exec(`timeout ${limitMs / 1000} sh -c '${loop}'`, { limitMs: 2 * limitMs });
    if (exitCode !== 0) throw new Error(`in the machine not within ${limitMs} ms: ${what}`);
  }

  /** Powers off. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#control.powerOff();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), POWER_OFF_LIMIT_MS);
    await this.#process.exited;
    clearTimeout(timer);
    await this.#reading;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stdout) this.#control.push(decoder.decode(chunk, { stream: true }));
    await this.#process.exited;
    this.#control.fail(new Error(`the machine has ended${this.#logs()}`));
  }

  #logs(): string {
    const tail = (name: string) => {
      const path = join(this.#dir, name);
      return existsSync(path) ? readFileSync(path, "utf8").slice(-3_000).trim() : "";
    };
    return `\n--- QEMU\n${tail("qemu.log")}\n--- the console\n${tail("console.log")}`;
  }
}

async function within<T>(limitMs: number, promise: Promise<T>, describe: () => string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(describe())), limitMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
