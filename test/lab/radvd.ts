/** radvd of Debian: a router that is not ours, in a namespace that a test made. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";
import type { ServerPlace } from "./dhcp-servers.ts";

/** Advertises the prefix, and answers solicitations, until it is disposed. */
export class Radvd implements AsyncDisposable {
  readonly #dir: string;
  readonly #process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #reading: Promise<void>;
  #log = "";

  private constructor(dir: string, process: Bun.Subprocess<"ignore", "ignore", "pipe">) {
    this.#dir = dir;
    this.#process = process;
    this.#reading = this.#read();
  }

  static async start({ netns, ifname }: ServerPlace, prefix: string): Promise<Radvd> {
    const dir = mkdtempSync(join(tmpdir(), "netferry-radvd-"));
    const config = join(dir, "conf");
    writeFileSync(
      config,
      `interface ${ifname} {
  AdvSendAdvert on;
  MinRtrAdvInterval 3;
  MaxRtrAdvInterval 4;
  prefix ${prefix} { AdvOnLink on; AdvAutonomous on; };
};
`,
    );
    // It refuses to be a router where packets are not forwarded.
    const forward = "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";
    Bun.spawnSync(["ip", "netns", "exec", netns, "sh", "-c", forward]);
    await eventually(`${ifname} has a link-local address`, () => {
      const shown = Bun.spawnSync(["ip", "-n", netns, "-6", "addr", "show", "dev", ifname, "scope", "link"]);
      const text = shown.stdout.toString();
      return text.includes("fe80") && !text.includes("tentative");
    });
    const command = [
      "radvd",
      "--nodaemon",
      "--logmethod=stderr",
      `--config=${config}`,
      `--pidfile=${join(dir, "pid")}`,
    ];
    const process = Bun.spawn(["ip", "netns", "exec", netns, ...command], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const radvd = new Radvd(dir, process);
    await eventually("radvd has started", () => {
      if (process.exitCode !== null) throw new Error(`radvd ended: ${radvd.#log}`);
      return /started/.test(radvd.#log);
    });
    return radvd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    await this.#reading;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) this.#log += decoder.decode(chunk, { stream: true });
  }
}
