/**
 * What is held for claims by someone outside: a profile, an address of a pool. A row stands from before it is asked for
 * until after it was given back, so that nothing leaks, whenever the agent dies. All rows are in memory too.
 */

import type { Database } from "bun:sqlite";
import { type DeviceKey, keyText } from "./record.ts";

export interface ProfileRecord extends DeviceKey {
  /** What it is asked for and given back with: JSON text. */
  readonly held: string;
  /** The claim is gone, or wants another one: it is to be given back. */
  readonly released: boolean;
}

/** Beside the tables of the schema's version: an older netferry passes it by. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS profiles (
    claim_uid TEXT NOT NULL,
    request TEXT NOT NULL,
    device TEXT NOT NULL,
    share_id TEXT NOT NULL,
    held TEXT NOT NULL,
    released INTEGER NOT NULL,
    PRIMARY KEY (claim_uid, request, device, share_id)
  ) STRICT;
`;

interface Row {
  readonly claim_uid: string;
  readonly request: string;
  readonly device: string;
  readonly share_id: string;
  readonly held: string;
  readonly released: number;
}

export class ProfileRecords {
  /** Called when there is something to give back. */
  onReleased: () => void = () => undefined;
  readonly #db: Database;
  readonly #durably: (write: () => void) => void;
  readonly #records = new Map<string, ProfileRecord>();

  /** `durably` runs a write and returns when it is on disk. */
  constructor(db: Database, durably: (write: () => void) => void) {
    this.#db = db;
    this.#durably = durably;
    db.run(SCHEMA);
    for (const row of db.query<Row, []>("SELECT * FROM profiles").all()) {
      const { request, device, held } = row;
      this.#keep({
        claimUid: row.claim_uid,
        request,
        device,
        shareId: row.share_id,
        held,
        released: row.released !== 0,
      });
    }
  }

  get(key: DeviceKey): ProfileRecord | undefined {
    return this.#records.get(keyText(key));
  }

  ofClaim(claimUid: string): readonly ProfileRecord[] {
    return [...this.#records.values()].filter((record) => record.claimUid === claimUid);
  }

  get released(): readonly ProfileRecord[] {
    return [...this.#records.values()].filter((record) => record.released);
  }

  put(record: ProfileRecord): void {
    const { claimUid, request, device, shareId, held, released } = record;
    this.#durably(() =>
      this.#db
        .query(
          `INSERT OR REPLACE INTO profiles (claim_uid, request, device, share_id, held, released)
           VALUES (?, ?, ?, ?, ?, ?)`,
        )
        .run(claimUid, request, device, shareId, held, released ? 1 : 0),
    );
    this.#keep(record);
  }

  /** They are to be given back. Runs within the caller's durable write, if it is in one. */
  release(records: readonly ProfileRecord[]): void {
    const update = this.#db.query(
      "UPDATE profiles SET released = 1 WHERE claim_uid = ? AND request = ? AND device = ? AND share_id = ?",
    );
    for (const record of records) {
      const { claimUid, request, device, shareId } = record;
      update.run(claimUid, request, device, shareId);
      this.#keep({ ...record, released: true });
    }
    if (records.length > 0) this.onReleased();
  }

  /** It was given back. */
  remove(key: DeviceKey): void {
    const { claimUid, request, device, shareId } = key;
    this.#durably(() =>
      this.#db
        .query("DELETE FROM profiles WHERE claim_uid = ? AND request = ? AND device = ? AND share_id = ?")
        .run(claimUid, request, device, shareId),
    );
    this.#records.delete(keyText(key));
  }

  #keep(record: ProfileRecord): void {
    this.#records.set(keyText(record), record);
  }
}
