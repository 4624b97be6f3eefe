import { expect, test } from "bun:test";
import { parseNodeConfig } from "./node-config.ts";

test("parseNodeConfig() reads PFs by name and by address, and nothing from an empty file", () => {
  const text = "sriov:\n- {pf: ens1f0, numVFs: 8}\n- pf: 0000:3b:00.1\n  numVFs: 0\n";
  expect(parseNodeConfig(text, "node.yaml")).toEqual({
    sriov: [
      { pf: "ens1f0", numVFs: 8 },
      { pf: "0000:3b:00.1", numVFs: 0 },
    ],
  });
  expect(parseNodeConfig("", "node.yaml")).toEqual({ sriov: [] });
});

test("parseNodeConfig() names the file and every problem", () => {
  const refusal = (text: string) => {
    try {
      parseNodeConfig(text, "node.yaml");
    } catch (error) {
      return String(error);
    }
    return "";
  };
  expect(refusal("sriov:\n- {pf: p0, numVfs: 8}\n")).toMatch(
    /^ConfigError: node\.yaml: .*sriov\[0\]\.numVfs: is no field/,
  );
  expect(refusal("sriov:\n- {pf: p0, numVFs: -1}\n")).toContain("-1 is not a whole number between 0 and 65535");
  expect(refusal("sriov:\n- {pf: p0, numVFs: 1}\n- {pf: p0, numVFs: 2}\n")).toContain("names a PF twice");
  expect(refusal("sriov: []\nsriov: []\n")).toContain("is given twice");
  expect(refusal("sriov: [\n")).toContain("node.yaml:");
  expect(refusal("vfs: 3\n")).toContain("is no field of the node's configuration");
});
