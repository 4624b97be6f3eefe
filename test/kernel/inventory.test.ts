import { expect, test } from "bun:test";
import { join } from "node:path";
import { expectGolden } from "../fakes/golden.ts";

test("devicesOf() gives the golden devices of a lab of real links, twice the same bytes", () => {
  const asRoot = process.getuid?.() === 0 ? [] : ["-Ur"];
  const lab = join(import.meta.dir, "inventory-lab.ts");
  const run = Bun.spawnSync(["unshare", ...asRoot, "-n", "-m", process.execPath, lab]);
  expect(run.stderr.toString()).toBe("");
  expect(run.exitCode).toBe(0);
  const [first = "", second] = run.stdout.toString().trimEnd().split("\n");
  expect(second).toBe(first);
  expectGolden("lab.json", `${JSON.stringify(JSON.parse(first), null, 2)}\n`);
});
