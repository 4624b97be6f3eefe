/** DHCP servers of Debian in a namespace that a test made: the peers that are not ours. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";

export interface ServerPlace {
  /** Name of the network namespace. */
  readonly netns: string;
  /** The link in it that the server answers on, with an address of the network. */
  readonly ifname: string;
}

/** A server with its own directory, which is told to end, and waited for, at the end of its scope. */
export class DhcpServer implements AsyncDisposable {
  readonly #dir: string;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #reading: Promise<unknown>;
  #log = "";

  private constructor(dir: string, place: ServerPlace, command: readonly string[]) {
    this.#dir = dir;
    this.#process = Bun.spawn(["ip", "netns", "exec", place.netns, ...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#reading = Promise.all([this.#read(this.#process.stdout), this.#read(this.#process.stderr)]);
  }

  /** dnsmasq, which knows every option and gives no lease for less than two minutes. `range`: `10.1.0.50,10.1.0.60`. */
  static async dnsmasq(place: ServerPlace, range: string, options: readonly string[] = []): Promise<DhcpServer> {
    const dir = mkdtempSync(join(tmpdir(), "netferry-dnsmasq-"));
    const server = new DhcpServer(dir, place, [
      "dnsmasq",
      ...["--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--conf-file=/dev/null", "--user=root"],
      ...["--port=0", `--interface=${place.ifname}`, "--bind-interfaces", "--no-ping", "--dhcp-authoritative"],
      ...[`--dhcp-range=${range},255.255.255.0,2m`, `--dhcp-leasefile=${join(dir, "leases")}`],
      ...[`--pid-file=${join(dir, "pid")}`, "--no-resolv", "--no-hosts"],
      ...options.map((option) => `--dhcp-option=${option}`),
    ]);
    await server.#says(/IP range/);
    return server;
  }

  /** BusyBox's, whose leases may be of seconds. */
  static async udhcpd(
    place: ServerPlace,
    lease: { readonly start: string; readonly end: string; readonly seconds: number },
    options: readonly string[] = [],
  ): Promise<DhcpServer> {
    const dir = mkdtempSync(join(tmpdir(), "netferry-udhcpd-"));
    const lines = [
      `start ${lease.start}`,
      `end ${lease.end}`,
      `interface ${place.ifname}`,
      `lease_file ${join(dir, "leases")}`,
      `pidfile ${join(dir, "pid")}`,
      "min_lease 1",
      "opt subnet 255.255.255.0",
      `opt lease ${lease.seconds}`,
      ...options.map((option) => `opt ${option}`),
    ];
    writeFileSync(join(dir, "leases"), "");
    writeFileSync(join(dir, "conf"), `${lines.join("\n")}\n`);
    const server = new DhcpServer(dir, place, ["udhcpd", "-f", "-I", addressOf(place), join(dir, "conf")]);
    await server.#says(/started/);
    return server;
  }

  /** Everything that it said so far. */
  get log(): string {
    return this.#log;
  }

  /** How often it said this. */
  count(pattern: RegExp): number {
    return [...this.#log.matchAll(new RegExp(pattern, "g"))].length;
  }

  /** dnsmasq's file of leases in force. */
  get leases(): string {
    return readFileSync(join(this.#dir, "leases"), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    await this.#reading;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #says(pattern: RegExp): Promise<void> {
    await eventually(`the server says ${pattern}`, () => {
      if (this.#process.exitCode !== null) throw new Error(`the DHCP server ended: ${this.#log}`);
      return pattern.test(this.#log);
    });
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#log += decoder.decode(chunk, { stream: true });
  }
}

/** The first IPv4 address of the server's link. */
function addressOf({ netns, ifname }: ServerPlace): string {
  const shown = Bun.spawnSync(["ip", "-n", netns, "-4", "-j", "addr", "show", "dev", ifname]).stdout.toString();
  const [link] = JSON.parse(shown) as { addr_info: { local: string }[] }[];
  const address = link?.addr_info[0]?.local;
  if (address === undefined) throw new Error(`${ifname} of ${netns} has no address for its DHCP server`);
  return address;
}
