/**
 * Links of the host that are up only while something is asked over them, with what each was before. A row stands while
 * that lasts: whoever comes after an agent that died meanwhile puts the link down.
 */

import type { Database } from "bun:sqlite";
import type { LinkSnapshot } from "../kernel/calls.ts";
import { BootRows } from "./boot-rows.ts";

export class RaisedLinks {
  readonly #rows: BootRows<LinkSnapshot>;

  constructor(db: Database, bootId: string) {
    const key = { column: "ifindex", type: "INTEGER" } as const;
    this.#rows = new BootRows(db, bootId, { name: "raised_links", key, value: "snapshot" });
  }

  put(before: LinkSnapshot): void {
    this.#rows.put(before.link.ifindex, before);
  }

  remove({ link }: LinkSnapshot): void {
    this.#rows.remove(link.ifindex);
  }

  all(): readonly LinkSnapshot[] {
    return this.#rows.all();
  }
}
