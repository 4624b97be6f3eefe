/** Section: a full scan of the host by the number of its links. Runs in a network and mount namespace of its own. */

import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { devicesOf } from "../../src/inventory/devices-of.ts";
import { builtInPciIds } from "../../src/inventory/pci-ids.ts";
import { startKernel } from "../../src/kernel/client.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { run } from "../lab/netns.ts";
import { type Figures, hand, Recorder, roundsAsked } from "./figures.ts";
import { makePairs } from "./links.ts";

const SIZES = [16, 256, 1024];
const WARM_UP_ROUNDS = 5;
/** Stands for the API server: the agent asks over which link it is reached, and does not offer that one. */
const ROUTE_TO = ["10.0.0.9"];

/** As the agent starts it, on sysfs of this namespace. */
async function scanFigures(rounds: number): Promise<Figures> {
  const recorder = new Recorder();
  const sysfsRoot = mkdtempSync(join(tmpdir(), "netferry-bench-sys-"));
  run(["mount", "-t", "sysfs", "sysfs", sysfsRoot]);
  const createWorker = () => new Worker(new URL("../../src/kernel/worker.ts", import.meta.url));
  const kernel = await startKernel({ createWorker, log: silentLogger });
  try {
    let made = 0;
    for (const size of SIZES) {
      makePairs(made, size / 2);
      made = size / 2;
      const times = new Recorder();
      for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
        if (round === 0) times.clear();
        const startMs = performance.now();
        const facts = await kernel.scan.scan({ sysfsRoot, procRoot: "/proc", routeTo: ROUTE_TO });
        times.add(`scan of ${size} links: the Worker's answer`, performance.now() - startMs);
        const devices = devicesOf(facts, { domain: "dra.net", moveIbInterfaces: true, pciNames: builtInPciIds });
        times.add(`scan of ${size} links: until the devices are known`, performance.now() - startMs);
        if (devices.length !== size - 1) throw new Error(`${devices.length} devices were found of ${size} links`);
      }
      for (const [name, values] of Object.entries(times.figures.series))
        for (const value of values) recorder.add(name, value);
    }
    return recorder.figures;
  } finally {
    await kernel[Symbol.asyncDispose]();
    run(["umount", sysfsRoot]);
    rmdirSync(sysfsRoot);
  }
}

await hand(await scanFigures(roundsAsked()));
