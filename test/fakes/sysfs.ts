/** A sysfs tree from a fixture: one JSON object per machine, path → text of the file, or `{ "link": target }`. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Link } from "../../src/netlink/link.ts";

export type SysfsFixture = Readonly<Record<string, string | { readonly link: string }>>;

const FIXTURES = join(import.meta.dir, "../fixtures/sysfs");

/** `mlx5` → the fixture `test/fixtures/sysfs/mlx5.json`. */
export function readFixture(name: string): SysfsFixture {
  return JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), "utf8"));
}

/** The tree in a directory of its own, until disposed. */
export class SysfsTree implements Disposable {
  readonly root: string = mkdtempSync(join(tmpdir(), "sysfs-"));

  constructor(fixture: SysfsFixture) {
    for (const [path, entry] of Object.entries(fixture)) {
      const target = join(this.root, path);
      mkdirSync(dirname(target), { recursive: true });
      if (typeof entry === "string") writeFileSync(target, entry);
      else symlinkSync(entry.link, target);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }

  /** The links of the tree as a link dump would give them, by index. */
  links(): Link[] {
    const directory = join(this.root, "class/net");
    const names = readdirSync(directory);
    return names.map((ifname) => linkAt(join(directory, ifname), ifname)).sort((a, b) => a.ifindex - b.ifindex);
  }
}

const IF_OPER: Readonly<Record<string, number>> = { unknown: 0, down: 2, lowerlayerdown: 3, dormant: 5, up: 6 };
const ARPHRD_INFINIBAND = 32;

function linkAt(directory: string, ifname: string): Link {
  const text = (file: string) => readFileSync(join(directory, file), "utf8").trimEnd();
  const address = text("address");
  const alias = text("ifalias");
  const arpType = Number(text("type"));
  return {
    ifindex: Number(text("ifindex")),
    ifname,
    arpType,
    flags: Number(text("flags")),
    mtu: Number(text("mtu")),
    address,
    ...(arpType === ARPHRD_INFINIBAND ? { kind: "ipoib" } : {}),
    altnames: [],
    ...(alias === "" ? {} : { alias }),
    txQueueLen: Number(text("tx_queue_len")),
    operstate: IF_OPER[text("operstate")] ?? 0,
    group: 0,
  };
}
