import { stringify } from "yaml";
import { compileFilter } from "../config/filter.ts";
import type { Config, Output } from "../config/flags.ts";
import { compileShareable } from "../config/shareable.ts";
import { devicesOf } from "../inventory/devices-of.ts";
import { leftOut } from "../inventory/left-out.ts";
import { inventoryOptions } from "../inventory/options.ts";
import { withShares } from "../inventory/shares.ts";
import { type StartKernelOptions, startKernel } from "../kernel/client.ts";
import { offerDevices } from "../kube/offer.ts";
import { desiredSlices, sliceObject } from "../kube/slices.ts";
import { silentLogger } from "../lib/log.ts";
import { formatDevices, formatLeftOut, formatTables } from "./devices-output.ts";

/** What this host offers now, and in a table what it does not, as text. It reads the kernel and changes nothing; no agent needs to run. */
export async function devices(
  config: Config,
  output: Output,
  createWorker: StartKernelOptions["createWorker"],
): Promise<string> {
  const filter = await compileFilter(config.filter);
  const options = inventoryOptions(config, process.env["PCIDB_PATH"]);
  await using kernel = await startKernel({ createWorker, log: silentLogger });
  const facts = await kernel.scan.scan({ sysfsRoot: config.sysfsRoot, procRoot: config.procRoot, routeTo: [] });
  const found = devicesOf(facts, options);
  const sharing = { isShareable: await compileShareable(config.shareable), maxShares: config.maxShares };
  const kept = found.filter((device) => filter(device.attributes).keep);
  const offered = kept.map((device) => withShares(device, sharing));
  if (output === "json" || output === "yaml") return formatDevices(offered, output);
  if (output !== "slice") {
    const byFilter = found
      .filter((device) => !kept.includes(device))
      .map(({ name }) => ({ name, why: "is left out by --filter" }));
    const absent = [...leftOut(facts, options, found), ...byFilter];
    return formatTables(offered, output, config.driverName) + formatLeftOut(absent);
  }
  const { devices: inSlices, problems } = offerDevices(offered, config.driverName);
  for (const { problem } of problems) console.error(`netferry: ${problem}`);
  // The Node's UID is known to the API server alone.
  const pool = { driver: config.driverName, nodeName: config.nodeName, nodeUid: "" };
  const slices = desiredSlices(pool, inSlices);
  return slices
    .map((slice) => stringify(sliceObject(pool, slice, { generation: 1, count: slices.length })))
    .join("---\n");
}
