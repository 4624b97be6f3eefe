import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveDevices } from "./cdi.ts";

function cdiDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "netferry-cdi-"));
  const mounts = [{ hostPath: "/a", containerPath: "/dev/a", options: ["ro", "bind"] }];
  const devices = [
    { name: "one", containerEdits: { env: ["A=1"], mounts } },
    { name: "two", containerEdits: { env: ["B=2"] } },
  ];
  writeFileSync(join(path, "claim.json"), JSON.stringify({ cdiVersion: "0.5.0", kind: "netferry.dev/claim", devices }));
  writeFileSync(join(path, ".claim.json.new"), "unfinished");
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("resolveDevices() joins the edits of all devices named", () => {
  using directory = cdiDirectory();
  const edits = resolveDevices(directory.path, ["netferry.dev/claim=two", "netferry.dev/claim=one"]);
  expect(edits.env).toEqual(["B=2", "A=1"]);
  expect(edits.mounts.map(({ hostPath, containerPath }) => [hostPath, containerPath])).toEqual([["/a", "/dev/a"]]);
});

test("resolveDevices() refuses a name that stands in no file", () => {
  using directory = cdiDirectory();
  expect(() => resolveDevices(directory.path, ["netferry.dev/claim=one", "netferry.dev/claim=three"])).toThrow(
    "unresolvable CDI devices netferry.dev/claim=three",
  );
});

test("resolveDevices() asks for nothing when no device is named", () => {
  using directory = cdiDirectory();
  expect(resolveDevices(directory.path, [])).toEqual({ env: [], mounts: [] });
});
