import { stringify } from "yaml";
import { compileFilter } from "../config/filter.ts";
import type { Config, Output } from "../config/flags.ts";
import { compileShareable } from "../config/shareable.ts";
import { devicesOf } from "../inventory/devices-of.ts";
import { loadPciNames } from "../inventory/pci-ids.ts";
import { withShares } from "../inventory/shares.ts";
import { type StartKernelOptions, startKernel } from "../kernel/client.ts";
import { offerDevices } from "../kube/offer.ts";
import { desiredSlices, sliceObject } from "../kube/slices.ts";
import { silentLogger } from "../lib/log.ts";
import { formatDevices } from "./devices-output.ts";

/** What this host offers now, as text. It reads the kernel and changes nothing; no agent needs to run. */
export async function devices(
  config: Config,
  output: Output,
  createWorker: StartKernelOptions["createWorker"],
): Promise<string> {
  const filter = await compileFilter(config.filter);
  const pciNames = loadPciNames(process.env["PCIDB_PATH"]);
  await using kernel = await startKernel({ createWorker, log: silentLogger });
  const facts = await kernel.scan.scan({ sysfsRoot: config.sysfsRoot, procRoot: config.procRoot, routeTo: [] });
  const found = devicesOf(facts, {
    domain: config.driverName,
    moveIbInterfaces: config.moveIbInterfaces,
    listAttributes: config.featureGates.DRAListTypeAttributes,
    pciNames,
  });
  const sharing = { isShareable: await compileShareable(config.shareable), maxShares: config.maxShares };
  const kept = found.filter((device) => filter(device.attributes).keep);
  const offered = kept.map((device) => withShares(device, sharing));
  if (output !== "slice") return formatDevices(offered, output, config.driverName);
  const { devices: inSlices, problems } = offerDevices(offered, config.driverName);
  for (const { problem } of problems) console.error(`netferry: ${problem}`);
  // The Node's UID is known to the API server alone.
  const pool = { driver: config.driverName, nodeName: config.nodeName, nodeUid: "" };
  const slices = desiredSlices(pool, inSlices);
  return slices
    .map((slice) => stringify(sliceObject(pool, slice, { generation: 1, count: slices.length })))
    .join("---\n");
}
