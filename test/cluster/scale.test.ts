/** More devices than one slice holds. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, pod } from "../lab/cluster/workload.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { NetferryLab } from "./netferry-lab.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const DEVICES = 300;

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start();
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "300 devices are published in three slices of one generation, can be claimed, and go to one slice when they go",
  async () => {
    const names = await lab.manyMacvlans(DEVICES);
    const all = async () => (await lab.workload.devices()).length === DEVICES;
    await until(`${DEVICES} devices are published`, all, 60_000);
    const slices = await lab.workload.slices();
    expect(slices.map(({ spec }) => spec.devices?.length).toSorted()).toEqual([128, 128, 44]);
    expect(new Set(slices.map(({ spec }) => spec.pool.generation)).size).toBe(1);
    expect(slices.map(({ spec }) => spec.pool.resourceSliceCount)).toEqual([3, 3, 3]);
    expect((await lab.workload.devices()).map(({ name }) => name).toSorted()).toEqual(names.toSorted());

    const name = uniqueName("scale");
    const last = slices.find(({ spec }) => spec.devices?.length === 44)?.spec.devices?.at(-1)?.name ?? "";
    await lab.workload.create(
      claim(name, { requests: { nic: byName(last) }, config: { interface: { name: "net1" } } }),
      pod(name, { claims: { net: name } }),
    );
    await lab.workload.podReady(name);
    expect(hasLink(last)).toBe(false);
    expect((await lab.workload.devices()).length).toBe(DEVICES); // also the one that is in its pod
    await lab.workload.deletePods(name);
    await until(`${last} is home`, () => hasLink(last), 30_000);

    lab.links[Symbol.dispose](); // their parent takes them along
    const one = async () => {
      const left = await lab.workload.slices();
      return left.length === 1 && left.every(({ spec }) => (spec.devices ?? []).length === 0);
    };
    await until("one empty slice is left", one, 60_000);
  },
  LIMIT_MS,
);
