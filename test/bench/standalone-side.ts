/** What an agent in standalone mode meets: a real containerd. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Containerd } from "../lab/runtime/containerd.ts";
import { BenchAgent } from "./agent.ts";

const PORT = 19_179;

export class StandaloneSide {
  readonly #dir: string;
  readonly #lab: Containerd;
  #agents = 0;

  constructor(dir: string, lab: Containerd) {
    this.#dir = dir;
    this.#lab = lab;
  }

  /** Starts the agent with no claims and answers how long it took to be ready. */
  async agent(): Promise<{ readonly agent: BenchAgent; readonly readyMs: number }> {
    const own = join(this.#dir, `standalone-${++this.#agents}`);
    mkdirSync(join(own, "claims"), { recursive: true });
    const agent = new BenchAgent(
      [
        ...["--standalone", "--claims", join(own, "claims"), "--db-path", join(own, "netferry.db")],
        ...["--nri-socket", this.#lab.nriSocket, "--cdi-dir", this.#lab.cdiDir, "--netns-dir", this.#lab.netnsDir],
      ],
      PORT,
      join(own, "log"),
    );
    return { agent, readyMs: await agent.ready() };
  }
}
