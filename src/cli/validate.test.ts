import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "../main.ts");

function netferry(args: readonly string[], stdin = ""): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, MAIN, "validate", ...args], {
    stdin: Buffer.from(stdin),
  });
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

const CLAIM = `apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: c}
spec:
  devices:
    requests:
    - name: nic
      exactly:
        deviceClassName: fast
        selectors:
        - cel: {expression: 'device.attributes["dra.net"].mtu > 1500'}
        - cel: {expression: 'device.attributes["dra.net"].?mtu.orValue(1500) > 1500'}
    config:
    - opaque:
        driver: dra.net
        parameters: {interface: {name: net1}}
`;

test("validate ends with 0 and says what it checked when all is well", () => {
  expect(netferry(["-f", "-"], CLAIM)).toEqual({
    code: 0,
    out: "stdin: 1 configuration for dra.net, nothing wrong\n",
    err: "",
  });
  expect(netferry(["-f", "-"], "kind: Pod\n")).toMatchObject({
    code: 0,
    out: "stdin: no configuration for dra.net in it\n",
  });
  expect(netferry(["-f", "-", "--driver-name", "other.example"], CLAIM).out).toContain(
    "no configuration for other.example",
  );
});

test("validate ends with 1 and every problem, as lines and as JSON", () => {
  const wrong = CLAIM.replace("net1", "a/b, mtu: 5, mode: x").replace("device.attr", "devices.attr");
  const lines = [
    "stdin:16 spec.devices.config[0].opaque.parameters.interface.name: \"a/b\" holds \"/\" and may hold letters, digits, '-', '_' and '.' only",
    "stdin:16 spec.devices.config[0].opaque.parameters.interface.mtu: 5 is not a whole number between 68 and 2147483647",
    "stdin:16 spec.devices.config[0].opaque.parameters.interface.mode: is not served in this version of netferry",
    'stdin:11 spec.devices.requests[0].exactly.selectors[0].cel.expression: "devices" is not a variable here, only device',
  ];
  expect(netferry(["-f", "-"], wrong)).toEqual({ code: 1, out: lines.map((line) => `${line}\n`).join(""), err: "" });
  const { code, out } = netferry(["-f", "-", "-o", "json"], wrong);
  expect(code).toBe(1);
  const report = JSON.parse(out);
  expect(report.configurations).toEqual({ stdin: 1 });
  expect(report.problems).toHaveLength(lines.length);
  expect(report.problems[2]).toEqual({
    file: "stdin",
    line: 16,
    path: "spec.devices.config[0].opaque.parameters.interface.mode",
    message: "is not served in this version of netferry",
  });
});

test("validate ends with 2 when something cannot be read, and checks the rest", () => {
  const directory = mkdtempSync(join(tmpdir(), "netferry-validate-"));
  try {
    const good = join(directory, "good.yaml");
    writeFileSync(good, "interface: {mtu: 5}\n");
    const missing = join(directory, "missing.yaml");
    const { code, out, err } = netferry(["-f", missing, "-f", good]);
    expect({ code, out }).toEqual({
      code: 2,
      out: `${good}:1 interface.mtu: 5 is not a whole number between 68 and 2147483647\n`,
    });
    expect(err).toContain(`netferry: ${missing}: cannot be read: ENOENT`);
  } finally {
    rmSync(directory, { recursive: true });
  }
  const broken = netferry(["-f", "-"], "interface: [\n");
  expect(broken).toMatchObject({ code: 2, out: "" });
  expect(broken.err).toMatch(/^netferry: stdin:\d+ document: /);
  expect(netferry([])).toMatchObject({ code: 2, err: expect.stringContaining("-f: is needed") });
});

test("validate holds claims to the flags that the agent runs with", () => {
  const strict = CLAIM.replace("name: net1", 'hardwareAddr: "02:00:00:00:00:01"');
  expect(netferry(["-f", "-"], strict).code).toBe(0);
  expect(netferry(["-f", "-", "--strict-claims"], strict)).toMatchObject({
    code: 1,
    out: expect.stringContaining("interface.hardwareAddr: is closed to claims by --strict-claims"),
  });
});
