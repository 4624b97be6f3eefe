/**
 * Links of the host that are up only while something is asked over them, with what each was before. A row stands while
 * that lasts: whoever comes after an agent that died meanwhile puts the link down.
 */

import type { Database } from "bun:sqlite";
import type { LinkSnapshot } from "../kernel/calls.ts";

/** Beside the tables of the schema's version: an older netferry passes it by. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS raised_links (
    ifindex INTEGER PRIMARY KEY,
    boot_id TEXT NOT NULL,
    snapshot TEXT NOT NULL
  ) STRICT;
`;

export class RaisedLinks {
  readonly #db: Database;
  readonly #bootId: string;

  constructor(db: Database, bootId: string) {
    this.#db = db;
    this.#bootId = bootId;
    db.run(SCHEMA);
    db.query("DELETE FROM raised_links WHERE boot_id <> ?").run(bootId); // after a reboot nothing is up by us
  }

  /** Survives the death of this process; after a loss of power there is nothing to put down. */
  put(before: LinkSnapshot): void {
    this.#db
      .query("INSERT OR REPLACE INTO raised_links (ifindex, boot_id, snapshot) VALUES (?, ?, ?)")
      .run(before.link.ifindex, this.#bootId, JSON.stringify(before));
  }

  remove({ link }: LinkSnapshot): void {
    this.#db.query("DELETE FROM raised_links WHERE ifindex = ?").run(link.ifindex);
  }

  all(): readonly LinkSnapshot[] {
    const rows = this.#db.query<{ snapshot: string }, []>("SELECT snapshot FROM raised_links ORDER BY ifindex").all();
    return rows.map((row) => JSON.parse(row.snapshot) as LinkSnapshot);
  }
}
