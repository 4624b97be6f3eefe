/** Kubernetes' newer ways to a device: admin access, extended resources, policies that change pods. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readManifest, toYaml } from "../lab/cluster/netferry.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, container, GRACE_SECONDS, pod } from "../lab/cluster/workload.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig } from "./netferry-lab.ts";
import { RELEASE } from "./release.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
/** In 1.34 extended resources are alpha and mutating policies beta, both off; later releases have them on. */
const OLD = RELEASE === "1.34";

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start(
    OLD
      ? {
          featureGates: { DRAExtendedResource: true, MutatingAdmissionPolicy: true },
          apis: ["admissionregistration.k8s.io/v1beta1"],
        }
      : {},
  );
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "admin access to a link is refused with the reason, and the pod that has the link keeps it",
  async () => {
    await lab.cluster.kubectl(["label", "namespace", "default", "resource.kubernetes.io/admin-access=true"]);
    const link = await lab.macvlan();
    const [owner, admin] = [uniqueName("owner"), uniqueName("admin")];
    const requests = { nic: byName(link.ifname) };
    await lab.workload.create(
      claim(owner, { requests, config: netConfig(link) }),
      pod(owner, { claims: { net: owner } }),
    );
    await lab.workload.podReady(owner);
    await lab.workload.create(claim(admin, { requests, adminAccess: true }), pod(admin, { claims: { net: admin } }));
    const reason = "with adminAccess: a link is in one place only";
    const said = async () => (await lab.workload.events(admin)).some(({ message }) => message.includes(reason));
    await until("the pod's events say why", said, 60_000);
    expect((await lab.workload.claim(admin)).status?.allocation?.devices.results).toMatchObject([
      { device: link.ifname, adminAccess: true },
    ]);
    expect(await lab.workload.exec(owner, ["ip", "addr", "show", "net1"])).toContain(link.address);
    await lab.workload.deletePods(admin, owner);
    await isHome(link);
    await lab.workload.deleteClaims(admin, owner);
  },
  LIMIT_MS,
);

test(
  "an extended resource that is mapped to the DeviceClass gives a link to a pod without a claim of its own",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("ext");
    const resource = `example.com/${name}`;
    await lab.workload.create({
      apiVersion: "resource.k8s.io/v1",
      kind: "DeviceClass",
      metadata: { name },
      spec: {
        extendedResourceName: resource,
        selectors: [{ cel: { expression: byName(link.ifname) } }],
        config: [{ opaque: { driver: "dra.net", parameters: netConfig(link) } }],
      },
    });
    const main = { ...container({}), resources: { requests: { [resource]: "1" }, limits: { [resource]: "1" } } };
    const spec = { terminationGracePeriodSeconds: GRACE_SECONDS, containers: [main] };
    await lab.workload.create({ apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
    await lab.workload.podReady(name);
    expect(hasLink(link.ifname)).toBe(false);
    expect(await lab.workload.exec(name, ["ip", "addr", "show", "net1"])).toContain(link.address);
    expect(await lab.workload.exec(name, ["sh", "-c", "env"])).toContain("NETFERRY_SANDBOX_"); // its receipt
    await lab.workload.deletePods(name);
    await isHome(link);
    await lab.cluster.kubectl(["delete", "deviceclass", name]);
  },
  LIMIT_MS,
);

test(
  "the mutating policy adds the claim to the containers of a pod that names it in none",
  async () => {
    await lab.cluster.apply(toYaml(admissionManifest()));
    await lab.cluster.kubectl(["label", "namespace", "default", "netferry.dev/name-claims=true"]);
    const link = await lab.macvlan();
    const name = uniqueName("map");
    await lab.workload.create(claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }));
    const object = pod(name, {
      claims: { net: name },
      initContainers: [{ name: "first", script: "ip addr show net1" }],
      containers: [{ name: "main" }, { name: "other" }],
    });
    // A policy takes effect a while after it was made.
    const mutated = async () => {
      const options = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
      const shown = await lab.cluster.kubectl(options, { stdin: JSON.stringify(object) });
      return claimsOf(JSON.parse(shown) as PodManifest).every((names) => names.includes("net"));
    };
    await until("the policy changes pods", mutated, 60_000);
    await lab.workload.create(object);
    await lab.workload.podReady(name);
    const made = await lab.cluster.api.json<PodManifest>(`/api/v1/namespaces/default/pods/${name}`);
    expect(claimsOf(made)).toEqual([["net"], ["net"], ["net"]]);
    for (const each of ["main", "other"])
      expect(await lab.workload.exec(name, ["sh", "-c", "env"], each)).toContain("NETFERRY_SANDBOX_");
    await lab.workload.deletePods(name);
    await isHome(link);
    await lab.workload.deleteClaims(name);
    await lab.cluster.kubectl(["label", "namespace", "default", "netferry.dev/name-claims-"]);
  },
  LIMIT_MS,
);

test(
  "the mutating policy leaves a pod alone whose claims are named",
  async () => {
    await lab.cluster.kubectl(["label", "namespace", "default", "netferry.dev/name-claims=true"]);
    const name = uniqueName("named");
    const containers = [{ name: "main", claims: ["net"] }, { name: "other" }];
    const object = pod(name, { claims: { net: name }, containers });
    const options = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    const shown = await lab.cluster.kubectl(options, { stdin: JSON.stringify(object) });
    expect(claimsOf(JSON.parse(shown) as PodManifest)).toEqual([["net"], []]);
    await lab.cluster.kubectl(["label", "namespace", "default", "netferry.dev/name-claims-"]);
  },
  LIMIT_MS,
);

test(
  "the validating policy warns of a pod whose claim no container names",
  async () => {
    const name = uniqueName("warn");
    const object = pod(name, { claims: { net: name }, containers: [{ name: "main" }] });
    const warned = async () => {
      const command = lab.cluster.kubectlCommand(["create", "--dry-run=server", "-f", "-"]);
      const child = Bun.spawnSync(command, { stdin: Buffer.from(JSON.stringify(object)) });
      return child.stderr.toString().includes("no container names the pod's claims net under resources.claims");
    };
    await until("kubectl shows the warning", warned, 60_000);
  },
  LIMIT_MS,
);

interface PodManifest {
  readonly spec: Readonly<
    Record<"containers" | "initContainers", readonly { resources?: { claims?: { name: string }[] } }[] | undefined>
  >;
}

/** Names of claims, by container; init containers first. */
function claimsOf({ spec }: PodManifest): string[][] {
  const all = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  return all.map(({ resources }) => resources?.claims?.map(({ name }) => name) ?? []);
}

/** 1.34 has mutating policies as v1beta1. */
function admissionManifest(): object[] {
  return readManifest("admission.yaml").map((object) =>
    OLD && object.kind.startsWith("Mutating")
      ? { ...object, apiVersion: "admissionregistration.k8s.io/v1beta1" }
      : object,
  );
}
