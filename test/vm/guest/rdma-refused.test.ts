/** Runs in an emulated machine whose kernel moves no RDMA device, although they belong to one namespace each. */

import { expect, test } from "bun:test";
import { guestNodeForTests } from "../../lab/guest-node.ts";
import { hasLink } from "../../lab/links.ts";
import { addRdmaLink, FUNCTION_DEVICE, functionTree, rdma } from "../../lab/rdma.ts";
import { refusal } from "../../lab/refusal.ts";

const lab = guestNodeForTests();

const SENTENCE = "cannot be given to a pod: RDMA devices belong to one network namespace each on this node";

test("Prepare refuses a link whose RDMA device could not follow it, and touches neither", async () => {
  const { ifname, name } = addRdmaLink(lab.links);
  const before = [rdma("-j", "-d", "dev"), rdma("-j", "link")];
  await lab.node.agent();
  const refused = await refusal(lab.node.kubelet.prepare(lab.node.claim("with-link", { devices: ifname })));
  expect(refused).toContain(`RDMA device ${name} of device ${ifname} ${SENTENCE}`);
  expect(refused).toContain("`rdma system set netns shared`");
  expect(hasLink(ifname)).toBe(true);
  expect([rdma("-j", "-d", "dev"), rdma("-j", "link")]).toEqual(before);
});

test("Prepare refuses an RDMA device without a link", async () => {
  const { name } = addRdmaLink(lab.links);
  using tree = functionTree(name);
  await lab.node.agent({ args: ["--sysfs-root", tree.root] });
  const refused = await refusal(lab.node.kubelet.prepare(lab.node.claim("alone", { devices: FUNCTION_DEVICE })));
  expect(refused).toContain(`RDMA device ${name} of device ${FUNCTION_DEVICE} ${SENTENCE}`);
});
