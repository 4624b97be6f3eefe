import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readClaimFile } from "./claim-file.ts";
import { claimUid } from "./claim-uid.ts";

const CLASS = `apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata:
  name: nic
spec:
  selectors:
  - cel:
      expression: device.driver == "dra.net"
  config:
  - opaque:
      driver: dra.net
      parameters: {interface: {mtu: 9000}}
`;

const CLAIM = `apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata:
  name: pair
  labels: {app: x}
spec:
  devices:
    requests:
    - name: main
      exactly:
        deviceClassName: nic
        count: 2
    - name: spare
      firstAvailable:
      - name: fast
        deviceClassName: nic
        selectors: [{cel: {expression: 'device.attributes["dra.net"].mtu > 1500'}}]
      - name: rest
        deviceClassName: nic
        allocationMode: All
    constraints:
    - matchAttribute: resource.kubernetes.io/numaNode
    - requests: [main, spare/fast]
      distinctAttribute: dra.net/pciAddress
    config:
    - requests: [main]
      opaque: {driver: dra.net, parameters: {interface: {name: net1}}}
`;

describe("readClaimFile()", () => {
  test("reads several documents, empty ones between them", () => {
    const { claims, classes, problems } = readClaimFile("a.yaml", `---\n${CLASS}---\n---\n${CLAIM}...\n`);
    expect(problems).toEqual([]);
    expect(classes).toEqual([
      {
        name: "nic",
        selectors: ['device.driver == "dra.net"'],
        configs: [{ requests: [], driver: "dra.net", parameters: { interface: { mtu: 9000 } } }],
      },
    ]);
    expect(claims).toEqual([
      {
        uid: claimUid("default", "pair"),
        namespace: "default",
        name: "pair",
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        requests: [
          [{ name: "main", deviceClassName: "nic", selectors: [], count: 2 }],
          [
            {
              name: "spare/fast",
              deviceClassName: "nic",
              selectors: ['device.attributes["dra.net"].mtu > 1500'],
              count: 1,
            },
            { name: "spare/rest", deviceClassName: "nic", selectors: [] },
          ],
        ],
        constraints: [
          { requests: [], kind: "match", attribute: "resource.kubernetes.io/numaNode" },
          { requests: ["main", "spare/fast"], kind: "distinct", attribute: "dra.net/pciAddress" },
        ],
        configs: [{ requests: ["main"], driver: "dra.net", parameters: { interface: { name: "net1" } } }],
      },
    ]);
  });

  test("keeps a UID that the file gives, and changes the digest with the spec only", () => {
    const [plain] = readClaimFile("a.yaml", CLAIM).claims;
    const [named] = readClaimFile("a.yaml", CLAIM.replace("name: pair", "name: pair\n  uid: abc-1")).claims;
    const [changed] = readClaimFile("a.yaml", CLAIM.replace("count: 2", "count: 1")).claims;
    expect(named?.uid).toBe("abc-1");
    expect(named?.digest).toBe(plain?.digest ?? "");
    expect(changed?.digest).not.toBe(plain?.digest ?? "");
    expect(changed?.uid).toBe(plain?.uid ?? "");
  });

  test("gives one problem with its line for YAML that is broken, and no objects", () => {
    const { claims, classes, problems } = readClaimFile("a.yaml", `${CLASS}---\nkind: [ResourceClaim\nmetadata: {}\n`);
    expect([claims, classes]).toEqual([[], []]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ file: "a.yaml", line: 15 });
  });

  const broken: [string, string, number, string][] = [
    ["a key given twice", CLASS.replace("  name: nic", "  name: nic\n  name: nic2"), 5, "Map keys must be unique"],
    ["an unknown tag", CLASS.replace("name: nic", "name: !secret nic"), 4, "!secret"],
    [
      "a misspelt key",
      CLAIM.replace("count: 2", "cuont: 2"),
      12,
      "spec.devices.requests[0].exactly.cuont: is not a field of this object (did you mean count?)",
    ],
    ["another kind", "\nkind: Pod\n", 2, 'kind: "Pod" is neither ResourceClaim nor DeviceClass'],
    ["no object", "- 1\n", 1, "kind: nothing is neither ResourceClaim nor DeviceClass"],
    [
      "another version",
      CLAIM.replace("io/v1", "io/v1beta1"),
      1,
      'apiVersion: "resource.k8s.io/v1beta1" is not one of resource.k8s.io/v1',
    ],
    [
      "no class",
      CLAIM.replace("deviceClassName: nic", "selectors: []"),
      11,
      "spec.devices.requests[0].exactly.deviceClassName: is required",
    ],
    ["no name", CLAIM.replace("name: pair", "namespace: x"), 4, "metadata.name: is required"],
    ["a name that is none", CLAIM.replace("name: pair", "name: Pair"), 4, "metadata.name: is not a DNS subdomain"],
    [
      "count with All",
      CLAIM.replace("allocationMode: All", "allocationMode: All\n        count: 3"),
      21,
      "must be absent with allocationMode All",
    ],
    ["count zero", CLAIM.replace("count: 2", "count: 0"), 12, "and at least 1 otherwise"],
    ["adminAccess", CLAIM.replace("count: 2", "adminAccess: true"), 12, "adminAccess is not served in standalone mode"],
    ["two requests of one name", CLAIM.replace("- name: spare", "- name: main"), 13, '"main" is there twice'],
    [
      "a constraint on nothing",
      CLAIM.replace("[main, spare/fast]", "[main, sparse]"),
      23,
      '"sparse" is not a request of this claim',
    ],
    [
      "a constraint of both kinds",
      CLAIM.replace("distinctAttribute: dra", "matchAttribute: a/b\n      distinctAttribute: dra"),
      23,
      "needs either matchAttribute or distinctAttribute",
    ],
    ["a short attribute name", CLAIM.replace("dra.net/pciAddress", "pciAddress"), 24, "is not a full attribute name"],
    [
      "parameters that are a list",
      CLAIM.replace("{interface: {name: net1}}", "[]"),
      27,
      "parameters: must be an object, not a list",
    ],
  ];
  for (const [what, text, line, reason] of broken) {
    test(`names the line of ${what}`, () => {
      const { claims, classes, problems } = readClaimFile("a.yaml", text);
      expect([claims, classes]).toEqual([[], []]);
      expect(problems).toEqual([{ file: "a.yaml", line, reason: expect.stringContaining(reason) }]);
    });
  }

  test("leaves the documents beside a wrong one alone", () => {
    const { claims, classes, problems } = readClaimFile("a.yaml", `${CLASS}---\nkind: Pod\n---\n${CLAIM}`);
    expect([classes.length, claims.length, problems.length]).toEqual([1, 1, 1]);
    expect(problems[0]?.line).toBe(14);
  });

  test("ends on a file that refers to itself over and over", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ..."bcdefghi".split("").map((key, i) => `${key}: &${key} [${new Array(9).fill(`*${"abcdefghi"[i]}`).join(",")}]`),
    ].join("\n");
    expect(readClaimFile("a.yaml", bomb).problems).toHaveLength(1);
  });

  test("gives objects or problems for any text, and never throws", () => {
    const piece = fc.constantFrom(
      "kind: ",
      "ResourceClaim",
      "DeviceClass",
      "\n",
      "---\n",
      ": ",
      "- ",
      "  ",
      "spec:",
      "metadata:",
      "{",
      "}",
      "[",
      "*a",
      "&a ",
      '"',
      "?",
      "!",
      "%",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const { problems } = readClaimFile("a.yaml", pieces.join(""));
        for (const { line, reason } of problems) {
          expect(line).toBeGreaterThan(0);
          expect(reason).not.toBe("");
        }
      }),
    );
  });
});

test("claimUid() is a UUID of version 8 that depends on namespace and name only", () => {
  expect(claimUid("a", "b")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(claimUid("a", "b")).toBe(claimUid("a", "b"));
  expect(new Set([claimUid("a", "b"), claimUid("b", "a"), claimUid("a", "c"), claimUid("ab", "")]).size).toBe(4);
});
