/** Every permission of the manifest is needed: without it, something says which one is missing. And none is too many. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { keyPair } from "../lab/cluster/certificates.ts";
import { layout } from "../lab/cluster/layout.ts";
import { type Manifest, readManifest } from "../lab/cluster/netferry.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, pod } from "../lab/cluster/workload.ts";
import { uniqueName } from "../lab/links.ts";
import { NetferryLab } from "./netferry-lab.ts";
import { RELEASE } from "./release.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const SAID_LIMIT_MS = 60_000;
const ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/netferry";
const SLICES = "/apis/resource.k8s.io/v1/resourceslices";
/** Who may write which part of a claim's status is a question from 1.36 on. */
const GRANULAR = !["1.34", "1.35"].includes(RELEASE);

let lab: NetferryLab;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  lab = await NetferryLab.start();
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Need {
  /** What the agent is made to do; answers the object whose events count, if any. */
  readonly provoke: () => Promise<string | undefined>;
  /** In the agent's log, or in the events of that object. */
  readonly sentence: RegExp;
  /** Default: a minute. */
  readonly limitMs?: number;
}

const restart = async () => {
  await lab.netferry.restart(false);
  return undefined;
};
const claiming = async () => {
  const { ifname } = await lab.macvlan();
  return await podWith({ requests: { nic: byName(ifname) } });
};
const claimingBadly = async () => {
  const { ifname } = await lab.macvlan();
  return await podWith({ requests: { nic: byName(ifname) }, config: { interface: { mtuu: 1 } } });
};

/** By `resource verb`. */
const NEEDS: Readonly<Record<string, Need>> = {
  "nodes get": { provoke: restart, sentence: /slices cannot be published.*cannot get resource \\"nodes\\"/ },
  "pods get": { provoke: claiming, sentence: /pods may not be read.*needs get on pods/ },
  "resourceslices list": { provoke: restart, sentence: /cannot be watched.*cannot list resource \\"resourceslices\\"/ },
  "resourceslices watch": {
    provoke: restart,
    sentence: /cannot be watched.*cannot watch resource \\"resourceslices\\"/,
  },
  "resourceslices create": {
    provoke: async () => {
      await lab.cluster.kubectl(["delete", "resourceslices", "--all"]);
      return undefined;
    },
    sentence: /cannot be published.*cannot create resource \\"resourceslices\\"/,
  },
  "resourceslices update": {
    provoke: async () => {
      await lab.macvlan({ waits: false });
      return undefined;
    },
    sentence: /cannot be published.*cannot update resource \\"resourceslices\\"/,
  },
  "resourceslices delete": {
    provoke: async () => {
      await lab.workload.create(sliceOf(lab.cluster.nodeName));
      return undefined;
    },
    sentence: /cannot be published.*cannot delete resource \\"resourceslices\\"/,
  },
  "resourceclaims get": { provoke: claiming, sentence: /cannot get resource \\?"resourceclaims\\?"/ },
  "resourceclaims/status patch": { provoke: claiming, sentence: /claim status.*resourceclaims\/status/ },
  "resourceclaims/driver associated-node:patch": {
    provoke: claiming,
    sentence: /claim status.*resourceclaims\/driver/,
  },
  "events create": { provoke: claimingBadly, sentence: /events may not be written/ },
  // The kubelet asks again after a minute or two, and an event's repetition is written once a minute.
  "events patch": { provoke: claimingBadly, sentence: /events may not be written/, limitMs: 200_000 },
  "runtimeclasses get": {
    provoke: async () => {
      const name = uniqueName("class");
      await lab.workload.create({
        apiVersion: "node.k8s.io/v1",
        kind: "RuntimeClass",
        metadata: { name },
        handler: "runc",
      });
      const { ifname } = await lab.macvlan();
      return await podWith({ requests: { nic: byName(ifname) } }, { runtimeClassName: name });
    },
    sentence: /RuntimeClass class\w+, which is not in --runtime-handlers/,
  },
};

const rules = readManifest().find(({ kind }) => kind === "ClusterRole")?.["rules"] as readonly Rule[];
const permissions = rules.flatMap(({ resources, verbs }) =>
  resources.flatMap((resource) => verbs.map((verb) => `${resource} ${verb}`)),
);

test("there is a reason for each permission, and a permission for each reason", () => {
  expect(permissions.toSorted()).toEqual(Object.keys(NEEDS).toSorted());
});

describe.each(permissions.filter((name) => GRANULAR || !name.includes("/driver")))("without %s", (permission) => {
  test(
    "it is said what is missing",
    async () => {
      const { provoke, sentence, limitMs = SAID_LIMIT_MS } = NEEDS[permission] ?? {};
      if (provoke === undefined || sentence === undefined) throw new Error(`nobody knows what ${permission} is for`);
      await setRules(without(permission));
      try {
        const about = await provoke();
        const said = async () => {
          const events = about === undefined ? [] : await lab.workload.events(about);
          const lines = [...(await lab.netferry.log()), ...events];
          return lines.some((line) => sentence.test(JSON.stringify(line)));
        };
        await until(`${sentence} is said`, said, limitMs).catch(async (error: unknown) => {
          throw new Error(await lab.netferry.report(), { cause: error });
        });
      } finally {
        await setRules(rules);
        for (const step of undo.splice(0)) await step();
        await lab.netferry.restart();
      }
    },
    LIMIT_MS,
  );
});

describe("the token of the agent", () => {
  const bound = async () => {
    const [agent] = await lab.netferry.pods();
    return ["--bound-object-kind=Pod", `--bound-object-name=${agent?.metadata.name}`];
  };

  test("writes slices of its own node, and not those of another one", async () => {
    const token = await newToken(await bound());
    const own = sliceOf(lab.cluster.nodeName);
    expect((await post(token, own)).status).toBe(201);
    const answer = await post(token, sliceOf("another-node"));
    expect(answer.status).toBe(422);
    expect(await answer.text()).toContain("netferry on node lab-node may not write slices of node another-node");
  });

  test("neither changes nor deletes slices of another node", async () => {
    const token = await newToken(await bound());
    const foreign = sliceOf("another-node");
    await lab.workload.create(foreign);
    const path = `${SLICES}/${foreign.metadata.name}`;
    const stored = await lab.cluster.api.json<Manifest>(path);
    stored["spec"].devices = [{ name: "stolen" }];
    for (const call of [{ method: "PUT", body: JSON.stringify(stored) }, { method: "DELETE" }]) {
      const answer = await asAgent(token, path, call);
      expect([call.method, answer.status]).toEqual([call.method, 422]);
    }
    await lab.cluster.kubectl(["delete", "resourceslice", foreign.metadata.name]);
  });

  test("is of no use for slices when it is bound to no pod", async () => {
    const answer = await post(await newToken([]), sliceOf(lab.cluster.nodeName));
    expect(answer.status).toBe(422);
    expect(await answer.text()).toContain("netferry's token is bound to no node");
  });

  test("reads no secrets and writes no claims", async () => {
    const token = await newToken(await bound());
    const claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    expect((await asAgent(token, "/api/v1/namespaces/default/secrets", { method: "GET" })).status).toBe(403);
    const body = JSON.stringify(claim("by-agent", { requests: { nic: "" } }));
    expect((await asAgent(token, claims, { method: "POST", body })).status).toBe(403);
  });
});

function without(permission: string): Rule[] {
  const [resource = "", verb = ""] = permission.split(" ");
  return rules.map((rule) =>
    rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((other) => other !== verb) } : rule,
  );
}

async function setRules(wanted: readonly Rule[]): Promise<void> {
  const body = { rules: wanted.filter(({ verbs }) => verbs.length > 0) };
  await lab.cluster.api.json(ROLE, { method: "PATCH", contentType: "application/merge-patch+json", body });
}

/** A pod with a claim of its own; both go at the end of the test. Answers the name of both. */
async function podWith(options: Parameters<typeof claim>[1], spec: object = {}): Promise<string> {
  const name = uniqueName("rbac");
  const object = pod(name, { claims: { net: name } }) as Manifest;
  Object.assign(object["spec"], spec);
  undo.push(async () => {
    await lab.workload.deletePods(name);
    await lab.workload.deleteClaims(name);
  });
  await lab.workload.create(claim(name, options), object);
  return name;
}

function sliceOf(nodeName: string) {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: uniqueName("slice-") },
    spec: {
      driver: "dra.net",
      nodeName,
      pool: { name: nodeName, generation: 0, resourceSliceCount: 1 },
      devices: [{ name: "made-up" }],
    },
  };
}

async function newToken(bound: readonly string[]): Promise<string> {
  return (await lab.cluster.kubectl(["-n", "netferry", "create", "token", "netferry", ...bound])).trim();
}

function post(token: string, slice: object): Promise<Response> {
  return asAgent(token, SLICES, { method: "POST", body: JSON.stringify(slice) });
}

function asAgent(token: string, path: string, call: { method: string; body?: string }): Promise<Response> {
  return fetch(`${lab.cluster.server}${path}`, {
    ...call,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    tls: { ca: readFileSync(keyPair(layout(lab.cluster.dir).pki, "ca").cert, "utf8") },
  });
}
