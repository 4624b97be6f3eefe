import { afterEach, beforeEach, expect, test } from "bun:test";
import { constants } from "node:os";
import { SysError } from "../../ffi/sys-error.ts";
import type { OwedRdma } from "../claims/owed-rdma.ts";
import { ClaimStore } from "../claims/store.ts";
import { claimDevice, link, snapshot } from "../claims/testing.ts";
import { silentLogger } from "../lib/log.ts";
import type { NldevFacts } from "../rdma/join.ts";
import { makeAtHome, makeOwed, type SoftwareRdmaParts } from "./software-rdma.ts";

const GUID = "0200:00ff:fe00:0001";
const RXE: OwedRdma = { ifname: "m0", name: "rxe0", nodeGuid: GUID, kind: "rxe" };

/** The kernel as far as RDMA in software goes: devices by name, each on a link, which may be another namespace's. */
class RdmaKernel {
  readonly devices = new Map<string, string | undefined>();
  readonly links = new Set(["m0"]);
  /** Why it makes none. */
  refuses: Error | undefined;
  /** Called before one is made. */
  beforeAdd: () => void = () => undefined;

  async readRdma(): Promise<NldevFacts> {
    return {
      devices: [...this.devices].map(([name, ifname], index) => ({
        index,
        name,
        nodeGuid: GUID,
        ports: [{ number: 1, ...(ifname === undefined ? {} : { ifname }) }],
      })),
    };
  }

  async addRdmaLink({ name, ifname }: { readonly name: string; readonly ifname: string }): Promise<void> {
    this.beforeAdd();
    if (this.refuses !== undefined) throw this.refuses;
    if (this.devices.has(name)) throw refusal("EEXIST");
    this.devices.set(name, ifname);
  }

  async deleteRdmaLink({ name }: { readonly name: string }): Promise<void> {
    this.devices.delete(name);
  }

  async listLinks() {
    return [...this.links].map((ifname) => link({ ifname }));
  }
}

function refusal(name: keyof typeof constants.errno): SysError {
  return new SysError("RDMA_NLDEV_CMD_NEWLINK", constants.errno[name], "rxe0");
}

let kernel: RdmaKernel;
let store: ClaimStore;
let parts: SoftwareRdmaParts;
beforeEach(() => {
  kernel = new RdmaKernel();
  store = ClaimStore.open(":memory:", "boot");
  parts = { kernel, store, log: silentLogger };
});
afterEach(() => store[Symbol.dispose]());

test("makeAtHome() makes the device, in place of what is left of it in another namespace", async () => {
  kernel.devices.set("rxe0", undefined);
  expect(await makeAtHome(parts, RXE, {})).toEqual([]);
  expect([...kernel.devices]).toEqual([["rxe0", "m0"]]);
  expect(store.owedRdma.all()).toEqual([]);
});

test("makeAtHome() leaves one alone that is there already, under another name too", async () => {
  kernel.devices.set("other0", "m0");
  expect(await makeAtHome(parts, RXE, {})).toEqual([]);
  expect([...kernel.devices]).toEqual([["other0", "m0"]]);
});

test("makeAtHome() leaves the device of a link with the same address alone", async () => {
  kernel.devices.set("parent0", "eth0");
  expect(await makeAtHome(parts, RXE, {})).toEqual([]);
  expect([...kernel.devices]).toEqual([
    ["parent0", "eth0"],
    ["rxe0", "m0"],
  ]);
});

test("makeAtHome() waits for a device that the kernel has begun to destroy", async () => {
  kernel.refuses = refusal("EEXIST");
  await expect(makeAtHome(parts, RXE, {})).rejects.toThrow("cannot be made on m0 again yet");
  expect(store.owedRdma.all()).toEqual([]);
});

test("a device that cannot be made is owed, and made once it can be", async () => {
  let owed = 0;
  store.owedRdma.onOwed = () => void owed++;
  kernel.refuses = refusal("EINVAL");
  expect(await makeAtHome(parts, RXE, {})).toEqual([
    "RDMA device rxe0 cannot be made on m0 again yet, and is tried until it is: RDMA_NLDEV_CMD_NEWLINK rxe0 failed with EINVAL",
  ]);
  expect(owed).toBe(1);
  expect(await makeOwed(parts)).toBe(false);
  expect(store.owedRdma.all()).toEqual([RXE]);
  kernel.refuses = undefined;
  expect(await makeOwed(parts)).toBe(true);
  expect([...kernel.devices]).toEqual([["rxe0", "m0"]]);
  expect(store.owedRdma.all()).toEqual([]);
});

test("a device whose name another one has is owed, and that one stays", async () => {
  kernel.devices.set("rxe0", "eth0");
  expect((await makeAtHome(parts, RXE, {}))[0]).toContain("another RDMA device has the name rxe0");
  expect([...kernel.devices]).toEqual([["rxe0", "eth0"]]);
  kernel.devices.delete("rxe0");
  expect(await makeOwed(parts)).toBe(true);
  expect([...kernel.devices]).toEqual([["rxe0", "m0"]]);
});

test("makeOwed() waits while a claim that does not know of the device has its link", async () => {
  store.owedRdma.put(RXE);
  store.put([claimDevice({ published: { name: "m0", identity: { ifname: "m0" }, attributes: {} } })]);
  expect(await makeOwed(parts)).toBe(true);
  expect(kernel.devices.size).toBe(0);
  store.removeClaim("claim");
  expect(await makeOwed(parts)).toBe(true);
  expect(kernel.devices.size).toBe(1);
});

test("makeOwed() still owes a device whose link left while it was made", async () => {
  store.owedRdma.put(RXE);
  const attachment = { sandboxId: "s1", temporaryName: "nfabc", late: false };
  const away = claimDevice({
    attachment: { ...attachment, snapshot: snapshot({ link: link({ ifname: "m0" }) }) },
    state: "attaching",
  });
  kernel.beforeAdd = () => store.put([away]);
  await makeOwed(parts);
  expect(store.owedRdma.all()).toEqual([RXE]);
});

test("makeOwed() forgets a device whose link is gone", async () => {
  store.owedRdma.put(RXE);
  kernel.links.clear();
  expect(await makeOwed(parts)).toBe(true);
  expect(kernel.devices.size).toBe(0);
  expect(store.owedRdma.all()).toEqual([]);
});
