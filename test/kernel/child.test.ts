/** Children of a link that stays on the host, made in the pod's namespace: seen with iproute2. */

import { expect, test } from "bun:test";
import { kernelCalls } from "../../src/kernel/serve.ts";
import { macvlanData } from "../../src/netlink/new-kind-data.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

test("createLink() makes the child in the other namespace, whatever the names and indexes there", () => {
  using calls = kernelCalls();
  using host = new HeldTestNetns(calls, "nfh");
  using pod = new HeldTestNetns(calls, "nfp");
  host.ip("link", "add", "v0", "mtu", "1400", "type", "veth", "peer", "name", "v1");
  // The parent's index is another link's in the pod.
  pod.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  const before = host.json("link", "show");
  const { ifindex } = calls.createLink({
    netns: host.ref,
    into: pod.ref,
    link: { ifname: "nfchild", kind: "macvlan", kindData: macvlanData("bridge"), lower: host.ifindexOf("v0") },
  });
  expect(pod.json("link", "show", "dev", "nfchild")).toMatchObject([
    { ifindex, mtu: 1400, linkinfo: { info_kind: "macvlan", info_data: { mode: "bridge" } } },
  ]);
  expect(host.json("link", "show")).toEqual(before);
  calls.deleteLink({ netns: pod.ref, ifindex });
  calls.deleteLink({ netns: pod.ref, ifindex });
  expect(pod.ip("link", "show")).not.toContain("nfchild");
  expect(host.json("link", "show")).toEqual(before);
});
