/** Numbers of the system's C headers, printed by a program that the system's compiler makes of them. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../lab/netns.ts";

const HEADERS = [
  "stddef.h",
  "stdio.h",
  "stdlib.h",
  "unistd.h",
  "sys/socket.h",
  "sys/syscall.h",
  "poll.h",
  "fcntl.h",
  "sched.h",
  "sys/mman.h",
  "sys/ioctl.h",
  "linux/nsfs.h",
  "linux/netlink.h",
  "linux/rtnetlink.h",
  "linux/if.h",
  "linux/if_link.h",
  "linux/if_addr.h",
  "linux/neighbour.h",
  "linux/fib_rules.h",
  "linux/pkt_sched.h",
  "linux/pkt_cls.h",
  "linux/bpf.h",
  "linux/genetlink.h",
  "linux/ethtool.h",
  "linux/ethtool_netlink.h",
  "linux/veth.h",
  "netlink/netlink.h",
  "netlink/msg.h",
  "netlink/attr.h",
  "netlink/addr.h",
  "netlink/route/link.h",
  "netlink/route/addr.h",
  "netlink/route/neighbour.h",
];

/** Where Debian has the headers of libnl. */
const LIBNL_HEADERS = "/usr/include/libnl3";

/** The values of integer constant expressions, by expression. Throws with the compiler's words when one is unknown. */
export function evaluate(expressions: readonly string[]): Record<string, number> {
  const directory = mkdtempSync(join(tmpdir(), "netferry-abi-"));
  try {
    const source = join(directory, "probe.c");
    const program = join(directory, "probe");
    writeFileSync(source, probe(expressions));
    run(["gcc", "-D_GNU_SOURCE", `-I${LIBNL_HEADERS}`, "-o", program, source]);
    const lines = run([program]).trim().split("\n");
    return Object.fromEntries(expressions.map((expression, at) => [expression, Number(lines[at])]));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function probe(expressions: readonly string[]): string {
  return [
    ...HEADERS.map((header) => `#include <${header}>`),
    "int main(void) {",
    ...expressions.map((expression) => `printf("%lld\\n", (long long)(${expression}));`),
    "}",
  ].join("\n");
}
