import { expect, test } from "bun:test";
import { bareDevice, bareFerry, sandboxOf } from "../../test/lab/bare-ferry.ts";
import { NetnsFiles } from "../attach/netns-files.ts";
import { Reconciler } from "../attach/reconciler.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { SandboxGate } from "./sandbox-gate.ts";

const SANDBOX = { ...sandboxOf("s1"), annotations: {}, runtimeHandler: "" };
const CONTAINER = {
  id: "c1",
  name: "main",
  sandboxId: "s1",
  env: [],
  cdiDevices: [],
  annotations: {},
  cpus: "",
  mems: "",
};

test("SandboxGate notes a container's CPUs in the record as it is, not as it was before the links were looked at", async () => {
  using place = bareFerry();
  const { store } = place;
  using reconciler = new Reconciler({
    ...place,
    files: new NetnsFiles("/run/netns"),
    clock: systemClock,
    log: silentLogger,
    onRun: () => undefined,
  });
  const { snapshot: _, ...attachment } = bareDevice({ sandboxId: "s1" }).attachment ?? {
    sandboxId: "s1",
    temporaryName: "nfabc",
    late: false,
  };
  const record = bareDevice({
    state: "attached",
    alignsCpus: true,
    plan: { steps: [], ifname: "net1", movedBy: "oci" },
  });
  store.putDurably([{ ...record, attachment }]);
  const gate = new SandboxGate({
    ...place,
    reconciler,
    driver: "dra.net",
    receiptsUnseen: true,
    observer: {},
    kernel: {
      listLinks: async () => {
        const slaac = { addresses: ["2001:db8::7/64"] };
        store.put([{ ...record, attachment: { ...attachment, slaac } }]); // an advertisement came
        return [];
      },
    },
    log: silentLogger,
    onRefusal: () => undefined,
  });
  await gate.containerCreating(SANDBOX, CONTAINER, new AbortController().signal);
  expect(store.get(record)?.attachment).toMatchObject({
    slaac: { addresses: ["2001:db8::7/64"] },
    unaligned: { main: "the NUMA node of the device is not known" },
  });
});
