/**
 * Runs in an emulated machine that has loaded no RDMA module: what comes late, goes, and comes again as another device is
 * published so.
 */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { eventually } from "../../fakes/eventually.ts";
import { startGuestNode } from "../../lab/guest-node.ts";
import { HostLinks, ip } from "../../lab/links.ts";
import { rdma } from "../../lab/rdma.ts";
import { refusal } from "../../lab/refusal.ts";

test("an RDMA device that comes, goes and comes again is published so, at once", async () => {
  await using node = await startGuestNode();
  using links = new HostLinks();
  links.run(["link", "add", "dum0", "type", "dummy"], ["link", "del", "dum0"]);
  ip("link", "set", "dum0", "up");
  const told = () => {
    const slices = node.api.store.list("/apis/resource.k8s.io/v1/resourceslices") as unknown as {
      readonly spec: {
        readonly devices: readonly { readonly name: string; readonly attributes: Readonly<Record<string, object>> }[];
      };
    }[];
    const device = slices.flatMap(({ spec }) => spec.devices).find((one) => one.name === "dum0");
    const value = (name: string) => Object.values(device?.attributes[`dra.net/${name}`] ?? {})[0];
    return [value("rdma"), value("rdmaDevice"), value("rdmaProvider")];
  };
  const shows = (...wanted: readonly unknown[]) =>
    eventually(`it shows ${wanted.join(" ")}`, () => Bun.deepEquals(told(), wanted));

  expect(existsSync("/sys/class/infiniband")).toBe(false);
  await node.agent({ args: ["--inventory-max-poll-interval", "1h"] });
  await shows(false, undefined, undefined);
  expect(existsSync("/sys/class/infiniband")).toBe(false); // looking for RDMA does not load it
  const claim = node.claim("exclusive", { devices: "dum0", config: { rdmaExclusive: true } });
  expect(await refusal(node.kubelet.prepare(claim))).toContain("device dum0 has no RDMA device, which rdmaExclusive");

  for (const module of ["rdma_rxe", "ib_uverbs"]) Bun.spawnSync(["modprobe", module]);
  rdma("link", "add", "rxe0", "type", "rxe", "netdev", "dum0");
  await shows(true, "rxe0", true);
  rdma("link", "del", "rxe0");
  await shows(false, undefined, undefined);
  rdma("link", "add", "other0", "type", "rxe", "netdev", "dum0");
  await shows(true, "other0", true);
});
