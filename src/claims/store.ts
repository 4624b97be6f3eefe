import { Database, SQLiteError } from "bun:sqlite";
import { closeSync, existsSync, mkdirSync, openSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { OwedRdmaDevices } from "./owed-rdma.ts";
import { ProfileRecords } from "./profile-records.ts";
import { RaisedLinks } from "./raised-links.ts";
import { type ClaimDevice, type DeviceKey, keyText, ofOtherBoot } from "./record.ts";

const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE devices (
    claim_uid TEXT NOT NULL,
    request TEXT NOT NULL,
    device TEXT NOT NULL,
    share_id TEXT NOT NULL,
    sandbox_id TEXT,
    boot_id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (claim_uid, request, device, share_id)
  ) STRICT;
  CREATE TABLE bindings (
    claim_uid TEXT PRIMARY KEY,
    binding TEXT NOT NULL
  ) STRICT;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * The durable record of what was promised and where each device is: SQLite in WAL mode, all rows in memory.
 * One process at a time owns it. A row of another boot is taken as prepared: after a reboot no namespace is left.
 */
export class ClaimStore implements Disposable {
  readonly profiles: ProfileRecords;
  readonly raisedLinks: RaisedLinks;
  readonly owedRdma: OwedRdmaDevices;
  readonly #db: Database;
  readonly #bootId: string;
  readonly #records = new Map<string, ClaimDevice>();

  private constructor(db: Database, bootId: string) {
    this.#db = db;
    this.#bootId = bootId;
    this.profiles = new ProfileRecords(db, (write) => this.#durably(write));
    this.raisedLinks = new RaisedLinks(db, bootId);
    this.owedRdma = new OwedRdmaDevices(db, bootId);
    for (const row of db.query<{ boot_id: string; record: string }, []>("SELECT boot_id, record FROM devices").all()) {
      const record = JSON.parse(row.record) as ClaimDevice;
      this.#records.set(keyText(record), row.boot_id === bootId ? record : ofOtherBoot(record));
    }
  }

  /**
   * Opens or makes the store at `path`; a file there that is not SQLite (DRANET's bbolt) is left alone and ours stands
   * beside it. `bootId` is the kernel's (`/proc/sys/kernel/random/boot_id`). Throws when another process owns it.
   */
  static open(path: string, bootId: string): ClaimStore {
    const file = isForeign(path) ? `${path}.netferry` : path;
    if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const db = new Database(file, { create: true, strict: true });
    try {
      db.run("PRAGMA locking_mode = EXCLUSIVE");
      db.run("PRAGMA journal_mode = WAL");
      db.run("PRAGMA synchronous = NORMAL");
      const version = db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
      if (version > SCHEMA_VERSION)
        throw new Error(
          `it has schema ${version}, this netferry knows up to ${SCHEMA_VERSION}: run the newer one, or name another --db-path`,
        );
      if (version === 0) db.transaction(() => db.run(SCHEMA)).immediate();
      return new ClaimStore(db, bootId);
    } catch (cause) {
      db.close();
      throw new Error(
        `cannot use the store ${file}${isLocked(cause) ? "; is another netferry running with it?" : ""}`,
        { cause },
      );
    }
  }

  get records(): readonly ClaimDevice[] {
    return [...this.#records.values()];
  }

  get(key: DeviceKey): ClaimDevice | undefined {
    return this.#records.get(keyText(key));
  }

  ofClaim(claimUid: string): readonly ClaimDevice[] {
    return this.records.filter((record) => record.claimUid === claimUid);
  }

  ofPod(podUid: string): readonly ClaimDevice[] {
    return this.records.filter((record) => record.podUid === podUid);
  }

  /** All records whose device is in, or on its way to or from, this sandbox. */
  ofSandbox(sandboxId: string): readonly ClaimDevice[] {
    return this.records.filter((record) => record.attachment?.sandboxId === sandboxId);
  }

  /** On disk before it returns: what must survive a loss of power. */
  putDurably(records: readonly ClaimDevice[]): void {
    this.#durably(() => this.put(records));
  }

  /** Survives the death of this process, not the loss of power: for steps that the kernel can tell again. */
  put(records: readonly ClaimDevice[]): void {
    const insert = this.#db.query(
      `INSERT OR REPLACE INTO devices (claim_uid, request, device, share_id, sandbox_id, boot_id, record)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#db.transaction(() => {
      for (const r of records) {
        const sandboxId = r.attachment?.sandboxId ?? null;
        insert.run(r.claimUid, r.request, r.device, r.shareId, sandboxId, this.#bootId, JSON.stringify(r));
      }
    })();
    for (const record of records) this.#records.set(keyText(record), record);
  }

  /** Forgets all devices of a claim, and has its profiles to be released, durably and at once. */
  removeClaim(claimUid: string): void {
    this.#durably(() =>
      this.#db.transaction(() => {
        this.#db.query("DELETE FROM devices WHERE claim_uid = ?").run(claimUid);
        this.profiles.release(this.profiles.ofClaim(claimUid));
      })(),
    );
    for (const record of this.ofClaim(claimUid)) this.#records.delete(keyText(record));
  }

  /** Forgets these devices, and has their profiles to be released, durably and at once. */
  removeDevices(records: readonly DeviceKey[]): void {
    const remove = this.#db.query(
      "DELETE FROM devices WHERE claim_uid = ? AND request = ? AND device = ? AND share_id = ?",
    );
    this.#durably(() =>
      this.#db.transaction(() => {
        for (const { claimUid, request, device, shareId } of records) remove.run(claimUid, request, device, shareId);
        this.profiles.release(records.flatMap((key) => this.profiles.get(key) ?? []));
      })(),
    );
    for (const record of records) this.#records.delete(keyText(record));
  }

  /** Standalone allocations by claim UID, as JSON text. */
  bindings(): readonly string[] {
    return this.#db
      .query<{ binding: string }, []>("SELECT binding FROM bindings ORDER BY claim_uid")
      .all()
      .map((row) => row.binding);
  }

  putBinding(claimUid: string, binding: string): void {
    this.#durably(() =>
      this.#db.query("INSERT OR REPLACE INTO bindings (claim_uid, binding) VALUES (?, ?)").run(claimUid, binding),
    );
  }

  removeBinding(claimUid: string): void {
    this.#durably(() => this.#db.query("DELETE FROM bindings WHERE claim_uid = ?").run(claimUid));
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  /** In WAL mode FULL syncs the log at commit, and with it every commit before. */
  #durably(write: () => void): void {
    this.#db.run("PRAGMA synchronous = FULL");
    try {
      write();
    } finally {
      this.#db.run("PRAGMA synchronous = NORMAL");
    }
  }
}

function isForeign(path: string): boolean {
  if (path === ":memory:" || !existsSync(path)) return false;
  const head = Buffer.alloc(16);
  const fd = openSync(path, "r");
  try {
    const length = readSync(fd, head, 0, head.length, 0);
    return length > 0 && head.toString("latin1") !== "SQLite format 3\0";
  } finally {
    closeSync(fd);
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof SQLiteError && (error.code === "SQLITE_BUSY" || error.code === "SQLITE_LOCKED");
}
