/** Lists while what they list changes. */

import { expect, test } from "bun:test";
import { kernelCalls } from "../../src/kernel/serve.ts";
import { ConflictError } from "../../src/lib/errors.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

const STABLE = 150; // more than one datagram holds

test("a list is whole and holds nothing twice, whatever changes meanwhile, or it is refused", async () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  const commands = Array.from({ length: STABLE / 2 }, (_, at) => `link add s${at} type veth peer name t${at}`);
  Bun.spawnSync(["ip", "-n", netns.name, "-batch", "-"], { stdin: Buffer.from(commands.join("\n")) });
  const churn = Array.from({ length: 2_000 }, () => "link add c0 type veth peer name c1\nlink del c0").join("\n");
  await using changing = Bun.spawn(["ip", "-n", netns.name, "-batch", "-"], { stdin: Buffer.from(churn) });

  let seen = 0;
  let withChurn = 0;
  while (changing.exitCode === null && (seen < 10 || withChurn === 0)) {
    try {
      const names = calls.listLinks({ netns: netns.ref }).map(({ ifname }) => ifname);
      expect(new Set(names).size).toBe(names.length);
      expect(names.filter((name) => /^[st]\d+$/.test(name)).length).toBe(STABLE);
      seen += 1;
      if (names.includes("c0")) withChurn += 1;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
    await Bun.sleep(0);
  }
  expect(changing.exitCode).toBeNull(); // it was changing all the while
  expect(seen).toBeGreaterThanOrEqual(10);
  expect(withChurn).toBeGreaterThan(0);
});

test("a thousand links come whole", () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  const commands = Array.from({ length: 512 }, (_, at) => `link add s${at} type veth peer name t${at}`);
  Bun.spawnSync(["ip", "-n", netns.name, "-batch", "-"], { stdin: Buffer.from(commands.join("\n")) });
  const ours = calls.listLinks({ netns: netns.ref }).map(({ ifname }) => ifname);
  expect(ours.length).toBe(1025);
  expect(ours).toEqual(netns.json("link", "show").map(({ ifname }) => ifname));
});
