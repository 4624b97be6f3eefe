/**
 * RDMA devices in software that stood on links of the host and were not there again when these came home. A row stands
 * until the device is made: whoever comes after an agent that died meanwhile makes it.
 */

import type { Database } from "bun:sqlite";
import type { SoftwareKind } from "../rdma/nldev-changes.ts";
import { BootRows } from "./boot-rows.ts";

export interface OwedRdma {
  /** The link that it stands on. */
  readonly ifname: string;
  readonly name: string;
  readonly nodeGuid?: string;
  readonly kind: SoftwareKind;
}

export class OwedRdmaDevices {
  /** Called when one is to be made. */
  onOwed: () => void = () => undefined;
  readonly #rows: BootRows<OwedRdma>;

  constructor(db: Database, bootId: string) {
    const key = { column: "ifname", type: "TEXT" } as const;
    this.#rows = new BootRows(db, bootId, { name: "owed_rdma", key, value: "device" });
  }

  put(device: OwedRdma): void {
    this.#rows.put(device.ifname, device);
    this.onOwed();
  }

  remove({ ifname }: Pick<OwedRdma, "ifname">): void {
    this.#rows.remove(ifname);
  }

  all(): readonly OwedRdma[] {
    return this.#rows.all();
  }
}
