/** That the chart keeps pace with `install.yaml`; `test/cluster/helm.test.ts` renders it and compares all of it. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { parseCommandLine } from "../../src/config/flags.ts";

const read = (path: string) => readFileSync(join(import.meta.dir, path), "utf8");
const INSTALL = read("../install.yaml");

/** The lines from the first that holds `from` to the first after it that holds `to`, without margins. */
function lines(text: string, from: string, to: string): readonly string[] {
  const all = text.split("\n").map((line) => line.trim());
  const first = all.findIndex((line) => line.startsWith(from));
  const last = all.findIndex((line, index) => index > first && line.startsWith(to));
  expect([from, first]).not.toEqual([from, -1]);
  return all.slice(first + 1, last);
}

const withoutTemplate = (line: string) => !line.startsWith("{{-");

test("the chart gives the permissions of install.yaml, word for word", () => {
  const rules = lines(read("netferry/templates/rbac.yaml"), "rules:", "---").filter(withoutTemplate);
  expect(rules.map((line) => line.replace("{{ .Values.driverName }}", "dra.net"))).toEqual([
    ...lines(INSTALL, "rules:", "---"),
  ]);
});

test("the chart mounts the volumes of install.yaml, and gives its capabilities", () => {
  const daemonSet = read("netferry/templates/daemonset.yaml");
  const names = (text: string, kind: string) =>
    [...text.matchAll(new RegExp(`name: (\\w+), ${kind}`, "g"))].map(String);
  for (const kind of ["mountPath", "hostPath"]) expect(names(daemonSet, kind)).toEqual(names(INSTALL, kind));
  const capabilities = (text: string) =>
    lines(text, "capabilities:", "add:").concat(/add: \[.*\]/.exec(text)?.[0] ?? "");
  expect(capabilities(daemonSet)).toEqual(capabilities(INSTALL));
});

test("every flag that the chart can give is one of netferry's", () => {
  const template = read("netferry/templates/daemonset.yaml");
  const written = [...template.matchAll(/--([a-z-]+)=/g)].map(([, name]) => name);
  const mapped = [...template.matchAll(/^\s+"\w+" "([a-z-]+)"/gm)].map(([, name]) => name);
  expect(mapped.length).toBeGreaterThan(10);
  for (const name of new Set([...written, ...mapped])) {
    const parsed = () => parseCommandLine([`--${name}=`]);
    try {
      parsed();
    } catch (error) {
      expect([name, String(error)]).not.toEqual([name, expect.stringContaining("is not a flag of netferry")]);
    }
  }
});

test("the chart's version is the project's", () => {
  const { version } = JSON.parse(read("../../package.json")) as { version: string };
  expect(parse(read("netferry/Chart.yaml"))).toMatchObject({ version, appVersion: version });
});
