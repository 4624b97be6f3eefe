/** QEMU with software emulation: a machine that needs no help of the host's processor. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { debianRoot } from "./debian-root.ts";
import { type Machine, machineArguments } from "./machine.ts";

/** A folder of the host at the same path in the guest. */
export interface Share {
  readonly tag: string;
  readonly path: string;
  /** Its path in the guest where that is another one. */
  readonly at?: string;
  readonly writable?: boolean;
}

export interface QemuOptions {
  readonly machine: Machine;
  readonly kernel: string;
  readonly initramfs: string;
  readonly console: string;
  readonly shares: readonly Share[];
  /** Added to the kernel's command line. */
  readonly kernelArguments: string;
}

const KERNEL_ARGUMENTS = [
  ...["console=ttyS0", "quiet", "loglevel=4", "panic=-1", "net.ifnames=0"],
  // What makes an emulated machine start sooner.
  ...[
    "mitigations=off",
    "audit=0",
    "selinux=0",
    "apparmor=0",
    "nokaslr",
    "cryptomgr.notests",
    "rcupdate.rcu_expedited=1",
  ],
  ...["no_timer_check", "tsc=reliable", "random.trust_cpu=on"],
];

/** Its standard input and output are the guest's virtio port "lab". */
export async function qemuCommand(options: QemuOptions): Promise<string[]> {
  const root = await debianRoot({ name: "qemu", variant: "extract", packages: ["qemu-system-x86", "seabios"] });
  const kernelArguments = [
    ...KERNEL_ARGUMENTS,
    `intel_iommu=${options.machine.iommu ? "on" : "off"}`,
    options.kernelArguments,
  ];
  return [
    // Debian's own loader and libraries: those of the host may be older.
    ...[join(root, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", join(root, "usr/lib/x86_64-linux-gnu")],
    join(root, "usr/bin/qemu-system-x86_64"),
    ...["-L", join(root, "usr/share/qemu"), "-L", join(root, "usr/share/seabios")],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...accelerator(),
    ...["-kernel", options.kernel, "-initrd", options.initramfs, "-append", kernelArguments.join(" ")],
    ...["-serial", `file:${options.console}`, "-device", "virtio-rng-pci,bus=pcie.0"],
    ...["-chardev", "stdio,id=control,signal=off", "-device", "virtio-serial-pci,bus=pcie.0"],
    ...["-device", "virtserialport,chardev=control,name=lab"],
    ...machineArguments(options.machine),
    ...options.shares.flatMap(shareArguments),
  ];
}

/** That there is a /dev/kvm proves nothing: with some of them no stock kernel starts. So the processor is asked. */
function accelerator(): string[] {
  const canVirtualise = /^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));
  const useKvm = canVirtualise && process.env["VM_ACCELERATOR"] === "kvm";
  return useKvm
    ? ["-M", "q35,kernel-irqchip=split", "-accel", "kvm", "-cpu", "host"]
    : ["-M", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"];
}

function shareArguments({ tag, path, writable }: Share): string[] {
  const readOnly = writable === true ? "" : ",readonly=on";
  return [
    ...["-fsdev", `local,id=${tag},path=${path},security_model=none,multidevs=remap${readOnly}`],
    ...["-device", `virtio-9p-pci,bus=pcie.0,fsdev=${tag},mount_tag=${tag}`],
  ];
}
