/**
 * RDMA devices in software that stood on links of the host and were not there again when these came home. A row stands
 * until the device is made: whoever comes after an agent that died meanwhile makes it.
 */

import type { Database } from "bun:sqlite";
import type { SoftwareKind } from "../rdma/nldev-changes.ts";

export interface OwedRdma {
  /** The link that it stands on. */
  readonly ifname: string;
  readonly name: string;
  readonly nodeGuid?: string;
  readonly kind: SoftwareKind;
}

/** Beside the tables of the schema's version: an older netferry passes it by. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS owed_rdma (
    ifname TEXT PRIMARY KEY,
    boot_id TEXT NOT NULL,
    device TEXT NOT NULL
  ) STRICT;
`;

export class OwedRdmaDevices {
  /** Called when one is to be made. */
  onOwed: () => void = () => undefined;
  readonly #db: Database;
  readonly #bootId: string;

  constructor(db: Database, bootId: string) {
    this.#db = db;
    this.#bootId = bootId;
    db.run(SCHEMA);
    db.query("DELETE FROM owed_rdma WHERE boot_id <> ?").run(bootId); // after a reboot its maker makes it again
  }

  /** Survives the death of this process; with a loss of power the device would be lost anyway. */
  put(device: OwedRdma): void {
    this.#db
      .query("INSERT OR REPLACE INTO owed_rdma (ifname, boot_id, device) VALUES (?, ?, ?)")
      .run(device.ifname, this.#bootId, JSON.stringify(device));
    this.onOwed();
  }

  remove({ ifname }: Pick<OwedRdma, "ifname">): void {
    this.#db.query("DELETE FROM owed_rdma WHERE ifname = ?").run(ifname);
  }

  all(): readonly OwedRdma[] {
    const rows = this.#db.query<{ device: string }, []>("SELECT device FROM owed_rdma ORDER BY ifname").all();
    return rows.map((row) => JSON.parse(row.device) as OwedRdma);
  }
}
