/** What `ip` and procfs say of one link: the witness for "the host is as before", in which our own reader has no part. */

import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";

export interface HostState {
  readonly link: unknown;
  /** Lifetimes taken out: they run down while the link is away. */
  readonly addresses: unknown;
  /** Remaining seconds by address, of those that end. */
  readonly lifetimes: Readonly<Record<string, number>>;
  /** Of all tables, those with a next hop over the link. */
  readonly routes: readonly unknown[];
  readonly rules: unknown;
  readonly neighbors: unknown;
  readonly sysctls: Readonly<Record<string, string>>;
}

const FOR_EVER = 4_294_967_295;

export function hostState(ifname: string): HostState {
  const addressInfo = (ip("-d", "-j", "addr", "show", "dev", ifname)[0] as { addr_info: AddressInfo[] }).addr_info;
  return {
    link: ip("-d", "-j", "link", "show", "dev", ifname)[0],
    addresses: addressInfo.map(({ valid_life_time: _, preferred_life_time: __, ...rest }) => rest),
    lifetimes: Object.fromEntries(
      addressInfo.filter((a) => a.valid_life_time !== FOR_EVER).map((a) => [a.local, a.valid_life_time]),
    ),
    routes: ["-4", "-6"].flatMap((family) =>
      ip("-d", "-j", family, "route", "show", "table", "all").filter((route) => isOver(route as RouteInfo, ifname)),
    ),
    rules: ["-4", "-6"].map((family) => ip("-j", family, "rule", "show")),
    neighbors: ip("-d", "-j", "neigh", "show", "dev", ifname, "nud", "permanent"),
    sysctls: sysctlsOf(ifname),
  };
}

/** Expects the link to be as it was `before`. What the kernel does in its own time (IPv6's link-local routes) is waited for. */
export async function expectHostState(
  ifname: string,
  before: HostState,
  view: (state: HostState) => unknown = (s) => s,
): Promise<void> {
  const same = () => Bun.deepEquals(view(hostState(ifname)), view(before));
  await eventually(`${ifname} is as it was`, same, 10_000).catch(() => undefined);
  expect(view(hostState(ifname))).toEqual(view(before));
}

interface AddressInfo {
  readonly local: string;
  readonly valid_life_time: number;
  readonly preferred_life_time: number;
}

interface RouteInfo {
  readonly dev?: string;
  readonly nexthops?: readonly { readonly dev: string }[];
}

function isOver(route: RouteInfo, ifname: string): boolean {
  return route.dev === ifname || route.nexthops?.some((hop) => hop.dev === ifname) === true;
}

function sysctlsOf(ifname: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const family of ["ipv4", "ipv6"])
    for (const table of ["conf", "neigh"]) {
      const directory = join("/proc/sys/net", family, table, ifname);
      for (const key of readdirSync(directory)) {
        const value = readSetting(join(directory, key));
        if (value !== undefined) values[`${family}/${table}/${key}`] = value;
      }
    }
  return values;
}

/** Some settings cannot be read while they are unset (`stable_secret`). */
function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EIO") return undefined;
    throw error;
  }
}

function ip(...args: string[]): unknown[] {
  const result = Bun.spawnSync(["ip", ...args]);
  if (!result.success) throw new Error(`ip ${args.join(" ")}: ${result.stderr.toString().trim()}`);
  const text = result.stdout.toString();
  return text.trim() === "" ? [] : JSON.parse(text);
}
