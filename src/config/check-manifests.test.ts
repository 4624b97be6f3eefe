import { expect, test } from "bun:test";
import fc from "fast-check";
import { DEFAULT_AUTHORITY } from "./authority.ts";
import { type CheckedManifests, checkManifests, type ManifestFile } from "./check-manifests.ts";

const noSelectors = () => Promise.reject(new Error("there is no selector to check"));

function check(...texts: string[]): Promise<CheckedManifests> {
  const files = texts.map((text, index): ManifestFile => ({ name: `${index}.yaml`, text }));
  return checkManifests(files, { driver: "dra.net", authority: DEFAULT_AUTHORITY, loadSelectorCheck: noSelectors });
}

async function lines(...texts: string[]): Promise<string[]> {
  const { problems, broken } = await check(...texts);
  return [...broken, ...problems].map(({ file, line, path, message }) => `${file}:${line} ${path}: ${message}`);
}

test("checkManifests() takes a bare configuration, as YAML and as JSON", async () => {
  expect(await check("interface:\n  mtu: 9000\noverridable: [interface.mtu]\n")).toEqual({
    configurations: { "0.yaml": 1 },
    problems: [],
    broken: [],
  });
  expect(await lines('{\n\t"interface": {\n\t\t"mtu": 9000\n\t}\n}\n')).toEqual([]);
  expect(await lines("interface:\n  name: net1\n  mtu: 5\n  adresses: []\n  mtu: 1500\nroutes:\n- scope: 0\n")).toEqual(
    [
      "0.yaml:5 interface.mtu: is given twice",
      "0.yaml:4 interface.adresses: is not a field of the configuration (did you mean addresses?)",
      "0.yaml:7 routes[0].destination: is required",
      "0.yaml:7 routes[0].gateway: is required, unless scope is 253 (link)",
    ],
  );
  expect(await lines('{"interface": {"mtu": 5,\n "mtu": 6}}')).toEqual([
    "0.yaml:2 interface.mtu: is given twice",
    "0.yaml:2 interface.mtu: 6 is not a whole number between 68 and 2147483647",
  ]);
});

test("checkManifests() takes a bare configuration for all that a claim gets, and for a class's where it has overridable", async () => {
  const inClass = "a file with overridable, which may be [], is taken for a DeviceClass's";
  const onlyClass = (path: string) =>
    `${path}: has an effect beyond the pod: only a DeviceClass may set it, unless netferry runs with --claim-may-set=${path} (${inClass})`;
  const child = "interface:\n  type: MACVLAN\n  macvlan: {mode: private}\n";
  expect(await lines(child)).toEqual([`0.yaml:3 ${onlyClass("interface.macvlan")}`]);
  expect(await lines(`${child}overridable: []\n`)).toEqual([]);
  expect(await lines("interface:\n  addressing: Unnumbered\nethtool:\n  privateFlags: {x: true}\n")).toEqual([
    "0.yaml:2 interface.addressing: may be Unnumbered for a sub-interface only: give a type other than Passthrough",
    `0.yaml:4 ${onlyClass("ethtool.privateFlags")}`,
  ]);
  expect(await lines("interface:\n  addressing: Unnumbered\noverridable: [interface.type]\n")).toEqual([]);
});

const claim = (kind: string, parameters: string, driver = "dra.net") => `apiVersion: resource.k8s.io/v1
kind: ${kind}
metadata: {name: c}
spec:
${kind === "ResourceClaimTemplate" ? "  spec:\n" : ""}    devices:
      requests:
      - name: nic
        exactly: {deviceClassName: fast}
      config:
      - requests: [nic]
        opaque:
          driver: ${driver}
          parameters: ${parameters}
`;
const fast = (parameters: string) => `apiVersion: resource.k8s.io/v1beta2
kind: DeviceClass
metadata: {name: fast}
spec:
  config:
  - opaque: {driver: dra.net, parameters: ${parameters}}
`;

test("checkManifests() finds configurations in claims, templates, classes and lists, each with its line", async () => {
  const at = "devices.config[0].opaque.parameters.interface.mtu: 5 is not a whole number between 68 and 2147483647";
  const bad = "{interface: {mtu: 5}}";
  expect(await lines(claim("ResourceClaim", bad))).toEqual([`0.yaml:13 spec.${at}`]);
  expect(await lines(claim("ResourceClaimTemplate", bad))).toEqual([`0.yaml:14 spec.spec.${at}`]);
  expect(await lines(fast(bad))).toEqual([expect.stringContaining("0.yaml:6 spec.config[0].opaque.parameters")]);
  const list = `kind: ResourceClaimList\nitems:\n${claim("ResourceClaim", bad).replaceAll(/^/gm, "  ").replace(" ", "-")}`;
  expect(await lines(list)).toEqual([`0.yaml:15 items[0].spec.${at}`]);
  const several = `${claim("ResourceClaim", "{}")}---\n---\nkind: Pod\napiVersion: v1\n---\n${fast(bad)}`;
  expect(await lines(several)).toEqual([expect.stringContaining("0.yaml:24 spec.config[0]")]);
  expect((await check(several, "kind: Pod\n")).configurations).toEqual({ "0.yaml": 2, "1.yaml": 0 });
  expect(await check(claim("ResourceClaim", bad, "other.example"))).toEqual({
    configurations: { "0.yaml": 0 },
    problems: [],
    broken: [],
  });
});

test("checkManifests() holds a claim to what only a class may set", async () => {
  const rings = "{ethtool: {rings: {}}}";
  expect(await lines(claim("ResourceClaim", rings))).toEqual([
    expect.stringContaining("ethtool.rings: has an effect beyond the pod: only a DeviceClass may set it"),
  ]);
  expect(await lines(fast(rings))).toEqual([]);
  expect(await lines("ethtool: {rings: {}}\noverridable: []")).toEqual([]);
  expect(await lines(claim("ResourceClaim", "{overridable: []}"))).toEqual([
    expect.stringContaining("overridable: may stand in a DeviceClass only"),
  ]);
});

test("checkManifests() merges a claim with a class of another file, as Prepare will", async () => {
  const nine = claim("ResourceClaim", "{interface: {mtu: 9000}}");
  expect(await lines(nine, fast("{interface: {mtu: 1500}}"))).toEqual([
    "0.yaml:9 spec.devices.config: request nic has no valid configuration: the claim sets interface.mtu to 9000, but the DeviceClass sets it to 1500 and does not list it under overridable",
  ]);
  expect(await lines(nine, fast("{interface: {mtu: 1500}, overridable: [interface.mtu]}"))).toEqual([]);
});

test("checkManifests() checks selectors wherever they stand", async () => {
  const text = `kind: DeviceClass
spec:
  selectors:
  - cel: {expression: wrong}
---
kind: ResourceClaim
spec:
  devices:
    requests:
    - name: a
      firstAvailable:
      - name: b
        selectors:
        - cel: {expression: right}
        - cel: {expression: wrong}
    - name: old
      selectors: [{cel: {expression: wrong}}]
`;
  const { problems } = await checkManifests([{ name: "f", text }], {
    driver: "dra.net",
    authority: DEFAULT_AUTHORITY,
    loadSelectorCheck: async () => (expression) => (expression === "wrong" ? "is wrong" : undefined),
  });
  expect(problems.map(({ line, path }) => `${line} ${path}`)).toEqual([
    "4 spec.selectors[0].cel.expression",
    "15 spec.devices.requests[0].firstAvailable[0].selectors[1].cel.expression",
    "17 spec.devices.requests[1].selectors[0].cel.expression",
  ]);
});

test("checkManifests() says what it could not read, and still reads the documents around it", async () => {
  const { problems, broken } = await check(`interface: {mtu: 5}\n---\ninterface: [\n---\n*nobody\n`);
  expect(problems).toHaveLength(1);
  expect(broken.length).toBeGreaterThan(0);
  expect(broken[0]?.line).toBeGreaterThan(2);
});

test("checkManifests() is not fooled by a kind that is missing or misspelt", async () => {
  expect(await lines("apiVersion: resource.k8s.io/v1\nspec: {}\n")).toEqual(["0.yaml:1 kind: is required"]);
  expect(await lines("apiVersion: v1\nkind: ResourceClaims\n")).toEqual([
    '0.yaml:2 kind: "ResourceClaims" is no kind (did you mean ResourceClaim?)',
  ]);
  expect(await lines("just text\n")).toEqual(["0.yaml:1 document: must be an object"]);
});

test("checkManifests() reads anchors and merge keys", async () => {
  expect(await lines("x: &mtu {mtu: 9000}\n")).toHaveLength(1);
  expect(await lines("interface:\n  <<: {mtu: 5}\n  name: net1\n")).toEqual([
    "0.yaml:1 interface.mtu: 5 is not a whole number between 68 and 2147483647",
  ]);
});

test("checkManifests() answers for any text", async () => {
  const text = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.json(),
    fc
      .array(
        fc.constantFrom("kind: ", "ResourceClaim", "\n", "  ", "- ", "spec:", "devices:", "{", "]", "&a", "*a", "---"),
        { maxLength: 30 },
      )
      .map((parts) => parts.join("")),
  );
  await fc.assert(
    fc.asyncProperty(text, async (value) => {
      const { problems, broken } = await check(value);
      for (const { line } of [...problems, ...broken]) expect(line).toBeGreaterThanOrEqual(1);
    }),
    { numRuns: 300 },
  );
});
