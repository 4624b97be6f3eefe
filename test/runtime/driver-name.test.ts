/** `--driver-name`, where DRANET's domain is somebody else's: all that the kubelet, the scheduler and the runtime see of it. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { SLICES } from "../fakes/api-server.ts";
import { eventually } from "../fakes/eventually.ts";
import { HostLinks, hasLink, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";

const LIMIT_MS = 240_000; // with a first start, which fetches packages
const DRIVER = "nic.example.com";
const CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";

interface PublishedSlice {
  readonly driver: string;
  readonly devices: readonly { readonly name: string; readonly attributes: object }[];
}
interface Allocation {
  readonly results: { driver: string }[];
  readonly config: { opaque: { driver: string } }[];
}

test(
  "--driver-name changes driver, sockets, attributes and receipts, and a claim of that driver is served",
  async () => {
    await using node = await TestNode.start({ suite: "sid" });
    using links = new HostLinks();
    const { ifname } = links.vethToPeer();
    const agent = await node.agent({ args: ["--driver-name", DRIVER], waits: false });
    await agent.url();
    expect((await node.kubelet.register(DRIVER)).endpoint).toEndWith(`plugins/${DRIVER}/dra.sock`);
    await agent.ready();

    const slices = () => node.api.store.list(SLICES).map(({ spec }) => spec as unknown as PublishedSlice);
    const found = () => slices().flatMap(({ devices }) => devices.filter(({ name }) => name === ifname));
    await eventually("the device is offered", () => found().length === 1);
    expect(slices().map(({ driver }) => driver)).toEqual([DRIVER]);
    const domains = Object.keys(found()[0]?.attributes ?? {}).map((name) => name.split("/")[0]);
    expect(new Set(domains)).toEqual(new Set([DRIVER]));

    const claim = node.claim(uniqueName("named"), { devices: ifname, config: { interface: { name: "net1" } } });
    const object = node.api.store.get(`${CLAIMS}/${claim.name}`);
    const { results, config } = Object(object?.status?.["allocation"]).devices as Allocation;
    for (const result of results) result.driver = DRIVER;
    for (const { opaque } of config) opaque.driver = DRIVER;
    if (object !== undefined) node.api.store.replace(CLAIMS, object);
    const { pod, containerId, cdiDevices } = await node.kubelet.startPod({
      name: claim.name,
      uid: claim.podUid,
      claims: [claim],
    });
    expect(cdiDevices).toEqual([`netferry.dev/${DRIVER}=${claim.uid}-nic`]);
    expect(existsSync(`${node.lab.cdiDir}/netferry-${DRIVER}-${claim.uid}.json`)).toBe(true);
    expect((await node.pods.exec(containerId, "ip", "link", "show", "net1")).exitCode).toBe(0);
    const told = () => JSON.stringify(node.api.store.get(`${CLAIMS}/${claim.name}`)?.status?.["devices"] ?? []);
    await eventually("the claim's status is the driver's", () => told().includes(`"driver":"${DRIVER}"`));
    await node.kubelet.endPod(pod, [claim]);
    expect(hasLink(ifname)).toBe(true);
  },
  LIMIT_MS,
);
