import { expect, test } from "bun:test";
import { ADDRESS, liveHandles, Owned, OwnedFd, onForgottenHandle } from "./owned.ts";
import { SysError } from "./sys-error.ts";

const ADDRESS_OF_NOTHING = 4096n;

test("Owned frees once, at the end of its scope, and refuses to be used after", () => {
  const freed: number[] = [];
  const owned = new Owned("thing", ADDRESS_OF_NOTHING, (address) => freed.push(address));
  {
    using _scope = owned;
    expect(liveHandles()["thing"]).toBe(1);
    expect(owned[ADDRESS] as number).toBe(4096);
  }
  owned[Symbol.dispose]();
  expect(freed).toEqual([4096]);
  expect(liveHandles()["thing"]).toBeUndefined();
  expect(() => owned[ADDRESS]).toThrow("thing was used after its release");
});

test("Owned throws SysError when there was no memory", () => {
  expect(() => new Owned("thing", null, () => undefined)).toThrow(SysError);
  expect(liveHandles()["thing"]).toBeUndefined();
});

test("OwnedFd does not close what it handed on", () => {
  const closed: number[] = [];
  const given = new OwnedFd(700, (fd) => closed.push(fd));
  const kept = new OwnedFd(701, (fd) => closed.push(fd));
  expect(given.release()).toBe(700);
  for (const fd of [given, kept, kept]) fd[Symbol.dispose]();
  expect(closed).toEqual([701]);
  expect(() => given.fd).toThrow("closed or handed on");
});

test("a handle that is dropped without release is reported with the stack that made it", async () => {
  const reports: string[] = [];
  onForgottenHandle((report) => reports.push(report), true);
  dropOne();
  for (let round = 0; round < 100 && reports.length === 0; round++) {
    Bun.gc(true);
    await Bun.sleep(1);
  }
  expect(reports.length).toBe(1);
  expect(reports[0]).toContain("forgotten thing was never released");
  expect(reports[0]).toContain("dropOne");
});

function dropOne(): void {
  new Owned("forgotten thing", ADDRESS_OF_NOTHING, () => undefined);
}
