import type { Config } from "../config/flags.ts";
import type { InventoryOptions } from "./devices-of.ts";
import { loadPciNames } from "./pci-ids.ts";

/** What the flags say of the inventory: the same for the agent and for who only looks. `pciIds` is a file, as `PCIDB_PATH`. */
export function inventoryOptions(config: Config, pciIds: string | undefined): InventoryOptions {
  return {
    domain: config.driverName,
    moveIbInterfaces: config.moveIbInterfaces,
    listAttributes: config.featureGates.DRAListTypeAttributes,
    offerVfio: config.offerVfio,
    pciNames: loadPciNames(pciIds),
  };
}
