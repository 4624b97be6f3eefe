/** Claims as users write them, in a real cluster with netferry as users install it. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, claimTemplate, IDLE, pod, podSpec } from "../lab/cluster/workload.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig, type TestLink } from "./netferry-lab.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const PING = (peer: string) => `ping -c 1 -W 2 ${peer}`;

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start();
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "the manifest as it is gives a Ready DaemonSet, all of whose conditions hold",
  async () => {
    const report = await lab.netferry.readyz();
    for (const condition of ["runtime", "receipts", "inventory", "kubelet", "publication"])
      expect(report).toContain(`[+] ${condition}: `);
    expect(report).toContain(`registered with containerd ${lab.cluster.versions.containerd}`);
    const rollout = ["-n", "netferry", "rollout", "status", "daemonset/netferry", "--timeout=180s"];
    expect(await lab.cluster.kubectl(rollout)).toContain("successfully rolled out");
  },
  LIMIT_MS,
);

test(
  "a link is published with its attributes, and withdrawn with the link",
  async () => {
    const link = await lab.macvlan();
    const device = (await lab.workload.devices()).find(({ name }) => name === link.ifname);
    expect(device?.attributes["dra.net/type"] ?? device?.attributes["type"]).toEqual({ string: "macvlan" });
    expect(JSON.stringify(device?.attributes)).toContain(`{"string":"${link.ifname}"}`);
    Bun.spawnSync(["ip", "link", "del", link.ifname]);
    const withdrawn = async () => (await lab.workload.devices()).every(({ name }) => name !== link.ifname);
    await until(`${link.ifname} is withdrawn`, withdrawn, 20_000);
    const [slice, ...others] = await lab.workload.slices();
    expect(others).toEqual([]);
    expect(slice?.spec).toMatchObject({ nodeName: lab.cluster.nodeName, pool: { name: lab.cluster.nodeName } });
  },
  LIMIT_MS,
);

test(
  "a claim by DeviceClass and selector takes its link into the pod and gives it back as it was",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("claim");
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, { claims: { net: name } }),
    );
    await lab.workload.podReady(name);
    expect(hasLink(link.ifname)).toBe(false);
    expect(await lab.workload.exec(name, ["ip", "addr", "show", "net1"])).toContain(`inet ${link.address}`);
    expect(await lab.workload.exec(name, ["sh", "-c", PING(link.peer)])).toContain(" 0% packet loss");
    expect((await lab.workload.claim(name)).status?.allocation?.devices.results).toMatchObject([
      { request: "nic", driver: "dra.net", pool: lab.cluster.nodeName, device: link.ifname },
    ]);
    await lab.workload.deletePods(name);
    await isHome(link);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "a ResourceClaimTemplate gives each pod a claim of its own",
  async () => {
    const links = [await lab.macvlan(), await lab.macvlan()];
    const name = uniqueName("tmpl");
    const either = links.map(({ ifname }) => byName(ifname)).join(" || ");
    const pods = [`${name}-a`, `${name}-b`];
    await lab.workload.create(
      claimTemplate(name, { requests: { nic: either }, config: { interface: { name: "net1" } } }),
      ...pods.map((each) => pod(each, { claims: { net: { template: name } } })),
    );
    const taken: string[] = [];
    for (const each of pods) {
      const { status } = await lab.workload.podReady(each);
      const own = status.resourceClaimStatuses?.[0]?.resourceClaimName ?? "";
      taken.push(...((await lab.workload.claim(own)).status?.allocation?.devices.results ?? []).map((r) => r.device));
      expect(await lab.workload.exec(each, ["ip", "link", "show", "net1"])).toContain("mtu 1450");
    }
    expect(taken.toSorted()).toEqual(links.map(({ ifname }) => ifname).toSorted());
    await lab.workload.deletePods(...pods);
    for (const link of links) await isHome(link);
    const gone = async () => (await lab.workload.claims()).length === 0;
    await until("the claims of the template went with their pods", gone, 60_000);
  },
  LIMIT_MS,
);

test(
  "two devices of one claim, named one by one by two containers of a pod, are both in it",
  async () => {
    const [first, second] = [await lab.macvlan(), await lab.macvlan()];
    const name = uniqueName("two");
    const object = claim(name, { requests: { a: byName(first.ifname), b: byName(second.ifname) } }) as ClaimManifest;
    object.spec.devices.config = [
      { requests: ["a"], opaque: { driver: "dra.net", parameters: netConfig(first, "net1") } },
      { requests: ["b"], opaque: { driver: "dra.net", parameters: netConfig(second, "net2") } },
    ];
    const containers = [
      { name: "main", claims: ["net"] },
      { name: "other", claims: ["net"] },
    ];
    await lab.workload.create(object, pod(name, { claims: { net: name }, containers }));
    await lab.workload.podReady(name);
    for (const each of ["main", "other"]) {
      expect(await lab.workload.exec(name, ["ip", "addr", "show", "net1"], each)).toContain(first.address);
      expect(await lab.workload.exec(name, ["sh", "-c", PING(second.peer)], each)).toContain(" 0% packet loss");
    }
    await lab.workload.deletePods(name);
    for (const link of [first, second]) await isHome(link);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "a claim that no container names has its link in the pod before the first container starts",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("bare");
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, {
        claims: { net: name },
        restartPolicy: "Never",
        containers: [{ script: `ip addr show net1 && ${PING(link.peer)}` }],
      }),
    );
    await lab.workload.podPhase(name, "Succeeded");
    expect(await lab.cluster.kubectl(["logs", name])).toContain(`inet ${link.address}`);
    await isHome(link); // without the pod's deletion: its sandbox is stopped
    await lab.workload.deletePods(name);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "each pod of a Job with restartPolicy Never finds its link at the first attempt",
  async () => {
    const links = [await lab.macvlan(), await lab.macvlan()];
    const name = uniqueName("job");
    const any = links.map(({ ifname }) => byName(ifname)).join(" || ");
    const script = "ip link show net1";
    await lab.workload.create(
      claimTemplate(name, { requests: { nic: any }, config: { interface: { name: "net1" } } }),
      {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name },
        spec: {
          completions: 6,
          parallelism: 3, // one more than there are links: it waits for one that comes home
          backoffLimit: 0,
          template: {
            spec: podSpec({
              claims: { net: { template: name } },
              restartPolicy: "Never",
              containers: [{ script, claims: ["net"] }],
            }),
          },
        },
      },
    );
    await lab.cluster.kubectl(["wait", "--for=condition=Complete", `job/${name}`, "--timeout=240s"]);
    for (const link of links) await isHome(link);
    await lab.cluster.kubectl(["delete", "job", name]);
  },
  LIMIT_MS,
);

test(
  "init containers and sidecars have the link too, whichever of them names the claim",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("init");
    const look = "ip addr show net1";
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, {
        claims: { net: name },
        initContainers: [
          { name: "first", script: look },
          { name: "named", script: look, claims: ["net"] },
          { name: "sidecar", script: `set -e; ${look}; ${IDLE}`, claims: ["net"], restartPolicy: "Always" },
        ],
        containers: [{ name: "main", claims: ["net"] }],
      }),
    );
    await lab.workload.podReady(name);
    for (const each of ["first", "named", "sidecar"])
      expect(await lab.cluster.kubectl(["logs", name, "-c", each])).toContain(`inet ${link.address}`);
    expect(await lab.workload.exec(name, ["sh", "-c", PING(link.peer)])).toContain(" 0% packet loss");
    await lab.workload.deletePods(name);
    await isHome(link);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "a claim that outlives its pod serves the next one",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("next");
    await lab.workload.create(claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }));
    for (const each of [`${name}-1`, `${name}-2`]) {
      await lab.workload.create(pod(each, { claims: { net: name } }));
      await lab.workload.podReady(each);
      expect(await lab.workload.exec(each, ["sh", "-c", PING(link.peer)])).toContain(" 0% packet loss");
      await lab.workload.deletePods(each);
      await isHome(link);
    }
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "a claim whose configuration is wrong keeps its pod from starting, and the pod's events say why",
  async () => {
    const link: TestLink = await lab.macvlan();
    const name = uniqueName("wrong");
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: { interface: { mtuu: 9000 } } }),
      pod(name, { claims: { net: name } }),
    );
    const said = async () => (await lab.workload.events(name)).some(({ message }) => message.includes("mtuu"));
    await until("the kubelet says what netferry answered", said, 60_000);
    expect(hasLink(link.ifname)).toBe(true);
    await lab.workload.deletePods(name);
    await lab.workload.deleteClaims(name);
    await isHome(link);
  },
  LIMIT_MS,
);

test(
  "class and claim both apply; what the class says is final but for what it lists, and a claim that differs is told so",
  async () => {
    const link: TestLink = await lab.macvlan();
    const className = uniqueName("rail");
    const parameters = {
      interface: { name: "rail0", mtu: 1300, addresses: ["10.99.0.1/24"] },
      routes: [{ destination: "10.98.0.0/16", gateway: "10.99.0.254" }],
      overridable: ["interface.mtu"],
    };
    await lab.workload.create({
      apiVersion: "resource.k8s.io/v1",
      kind: "DeviceClass",
      metadata: { name: className },
      spec: {
        selectors: [{ cel: { expression: 'device.driver == "dra.net"' } }],
        config: [{ opaque: { driver: "dra.net", parameters } }],
      },
    });
    const create = (name: string, config: object) =>
      lab.workload.create(
        claim(name, { className, requests: { nic: byName(link.ifname) }, config }),
        pod(name, { claims: { net: name } }),
      );

    const refused = uniqueName("refused");
    await create(refused, { interface: { name: "mine" } });
    const sentence =
      'the claim sets interface.name to "mine", but the DeviceClass sets it to "rail0" and does not list it under overridable';
    const said = async () => (await lab.workload.events(refused)).some(({ message }) => message.includes(sentence));
    await until("the kubelet says what netferry answered", said, 60_000);
    await lab.workload.deletePods(refused);
    await lab.workload.deleteClaims(refused);

    const merged = uniqueName("merged");
    const routes = [{ destination: "10.97.0.0/16", gateway: "10.99.0.253" }];
    await create(merged, { interface: { mtu: 1350, addresses: ["10.99.0.2/24"] }, routes });
    await lab.workload.podReady(merged);
    const shown = await lab.workload.exec(merged, ["sh", "-c", "ip addr show rail0; ip route show dev rail0"]);
    for (const part of ["mtu 1350", "10.99.0.1/24", "10.99.0.2/24", "10.98.0.0/16 via 10.99.0.254", "10.97.0.0/16 via"])
      expect(shown).toContain(part);
    await lab.workload.deletePods(merged);
    await isHome(link);
    await lab.workload.deleteClaims(merged);
    await lab.cluster.kubectl(["delete", "deviceclass", className]);
  },
  LIMIT_MS,
);

test(
  "when all pods are gone the agent holds nothing",
  async () => {
    for (const metric of ["held_namespaces", "receipts", 'devices{state="attached"}', 'devices{state="prepared"}'])
      expect([metric, await lab.netferry.metric(`dranet_driver_${metric}`)]).toEqual([metric, 0]);
  },
  LIMIT_MS,
);

interface ClaimManifest {
  readonly spec: { readonly devices: { config: readonly object[] } };
}
