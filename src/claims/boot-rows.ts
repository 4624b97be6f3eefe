/**
 * What has to be put right by whoever comes after an agent that died, and means nothing after a reboot: a row each, in a
 * table beside those of the schema's version, so that an older netferry passes it by.
 */

import type { Database } from "bun:sqlite";

export interface BootTable {
  readonly name: string;
  readonly key: { readonly column: string; readonly type: "INTEGER" | "TEXT" };
  /** The column of the values, as JSON. */
  readonly value: string;
}

export class BootRows<Value> {
  readonly #db: Database;
  readonly #table: BootTable;
  readonly #bootId: string;

  /** Makes the table where it is missing, and forgets what is of another boot. */
  constructor(db: Database, bootId: string, table: BootTable) {
    this.#db = db;
    this.#table = table;
    this.#bootId = bootId;
    const { name, key, value } = table;
    db.run(
      `CREATE TABLE IF NOT EXISTS ${name} (${key.column} ${key.type} PRIMARY KEY, boot_id TEXT NOT NULL, ${value} TEXT NOT NULL) STRICT`,
    );
    db.query(`DELETE FROM ${name} WHERE boot_id <> ?`).run(bootId);
  }

  /** Survives the death of this process; after a loss of power it is not wanted any more. */
  put(key: string | number, value: Value): void {
    const { name, key: by, value: column } = this.#table;
    this.#db
      .query(`INSERT OR REPLACE INTO ${name} (${by.column}, boot_id, ${column}) VALUES (?, ?, ?)`)
      .run(key, this.#bootId, JSON.stringify(value));
  }

  remove(key: string | number): void {
    this.#db.query(`DELETE FROM ${this.#table.name} WHERE ${this.#table.key.column} = ?`).run(key);
  }

  /** By their keys. */
  all(): readonly Value[] {
    const { name, key, value } = this.#table;
    const rows = this.#db
      .query<{ json: string }, []>(`SELECT ${value} AS json FROM ${name} ORDER BY ${key.column}`)
      .all();
    return rows.map(({ json }) => JSON.parse(json) as Value);
  }
}
