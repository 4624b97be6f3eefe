/**
 * Runs in an emulated machine of two NUMA nodes, each with one igb port behind a root complex of its own and two VFs of
 * that. The standalone mode gives devices of one node together, and containers run where their devices are.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { stringify } from "yaml";
import { allowedIn, type Place, placedLinks } from "../../lab/placed-links.ts";
import type { Pod } from "../../lab/runtime/pods.ts";
import { StandaloneNode } from "../../lab/standalone-node.ts";

const NUMA = "resource.kubernetes.io/numaNode";
const ROOT = "resource.kubernetes.io/pcieRoot";

let places: ReadonlyMap<string, Place>;

beforeAll(async () => {
  places = await placedLinks();
  expect(new Set([...places.values()].map(({ node }) => node)).size).toBe(2);
});

describe("the standalone mode", () => {
  let node: StandaloneNode;
  const running: { readonly name: string; readonly pod: Pod; readonly place: Place }[] = [];
  beforeAll(async () => {
    node = await StandaloneNode.start({ suite: "sid", requestTimeoutMs: 60_000 });
  });
  afterAll(() => node[Symbol.asyncDispose]());

  /** A claim for a VF and a macvlan under a constraint on both. */
  function claim(name: string, constraint: object): object {
    const request = (kind: string, expression: string) => ({
      name: kind,
      exactly: { deviceClassName: "nics", selectors: [{ cel: { expression } }] },
    });
    const attribute = (id: string) => `device.attributes["dra.net"].${id}`;
    return {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: { name },
      spec: {
        devices: {
          requests: [
            request("vf", `has(${attribute("isSriovVf")}) && ${attribute("isSriovVf")}`),
            request("child", `${attribute("type")} == "macvlan"`),
          ],
          constraints: [constraint],
        },
      },
    };
  }

  test("gives each pod a VF and a macvlan of one node, both nodes one pod, and a third pod nothing", async () => {
    node.writeFile(
      "class.yaml",
      stringify({
        apiVersion: "resource.k8s.io/v1",
        kind: "DeviceClass",
        metadata: { name: "nics" },
        spec: {
          selectors: [{ cel: { expression: 'device.attributes["dra.net"].ifName.startsWith("p")' } }],
          config: [{ opaque: { driver: "dra.net", parameters: { cpu: { align: "numa" } } } }],
        },
      }),
    );
    node.writeFile("a.yaml", stringify(claim("a", { matchAttribute: NUMA })));
    node.writeFile("b.yaml", stringify(claim("b", { matchAttribute: ROOT })));
    node.writeFile("c.yaml", stringify(claim("c", { matchAttribute: NUMA })));
    const agent = await node.agent();
    await agent.logged((line) => line.message === "claim bound" && line["claim"] === "default/b");
    for (const name of ["a", "b"]) {
      const pod = await node.pods.run({ name, annotations: { "netferry.dev/claims": name } });
      const shown: { ifname: string }[] = JSON.parse(
        Bun.spawnSync(["nsenter", `--net=${await node.pods.netns(pod)}`, "ip", "-j", "link"]).stdout.toString(),
      );
      const given = shown.map(({ ifname }) => ifname).filter((ifname) => places.has(ifname));
      expect(given.map((ifname) => ifname.slice(2)).toSorted()).toEqual(["m", expect.stringMatching(/^v[01]$/)]);
      const [first, second] = given.map((ifname) => places.get(ifname));
      expect(first).toEqual(second);
      if (first !== undefined) running.push({ name, pod, place: first });
    }
    expect(running.map(({ place }) => place.node).toSorted()).toEqual([0, 1]);
    expect(await agent.readyz()).toContain("claim default/c: request child needs 1 device; of");
  });

  test("runs a pod's container on CPUs and memory of the node of its devices", async () => {
    const [, second] = running;
    if (second === undefined) throw new Error("the pods of the test before are not there");
    const cdiDevices = [`netferry.dev/claim=${second.name}`];
    const containerId = await node.pods.launch(second.pod, { name: "main", cdiDevices });
    expect(await allowedIn(node.pods, containerId)).toEqual([second.place.cpus, String(second.place.node)]);
  });
});
