/** A runtime that requires netferry: without it no container is created, whoever asks. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, pod } from "../lab/cluster/workload.ts";
import { uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig } from "./netferry-lab.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start({ requiredNriPlugins: ["dra.net"] });
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "containers are created while netferry is there, refused while it is away, and created again when it is back",
  async () => {
    const link = await lab.macvlan();
    const [first, second] = [uniqueName("here"), uniqueName("away")];
    await lab.workload.create(pod(first, {}));
    await lab.workload.podReady(first);
    await lab.netferry.stop();
    await lab.workload.create(
      claim(second, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(second, { claims: { net: second } }),
      pod(`${second}-plain`, {}),
    );
    const refused = async () =>
      (await lab.workload.events(`${second}-plain`)).some(({ message }) => /required plugin.*dra\.net/.test(message));
    await until("the runtime says which plugin is missing", refused, 60_000);
    await lab.netferry.start();
    for (const name of [second, `${second}-plain`]) await lab.workload.podReady(name, 120_000);
    expect(await lab.workload.exec(second, ["ip", "addr", "show", "net1"])).toContain(link.address);
    await lab.workload.deletePods(first, second, `${second}-plain`);
    await isHome(link);
  },
  LIMIT_MS,
);
