/** Routes by next-hop objects, in both of the kernel's ways to tell of them. */

import { expect, test } from "bun:test";
import { kernelCalls } from "../../src/kernel/serve.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

const COMMANDS = [
  "link add v0 type veth peer name v1",
  "link set lo up",
  "link set v0 up",
  "link set v1 up",
  "addr add 10.0.0.1/24 dev v0",
  "addr add fd00::1/64 dev v0 nodad",
  "nexthop add id 5 via 10.0.0.2 dev v0",
  "nexthop add id 6 via 172.16.0.1 dev v0 onlink",
  "nexthop add id 7 group 5,3/6,2",
  "nexthop add id 8 via fd00::2 dev v0",
  "nexthop add id 9 dev v0",
  "nexthop add id 10 blackhole",
  "route add default nhid 5",
  "route add 10.10.0.0/16 nhid 6",
  "route add 10.11.0.0/16 table 100 nhid 7",
  "route add 10.12.0.0/16 nhid 8",
  "route add 10.13.0.0/16 nhid 9",
  "route add 10.14.0.0/16 nhid 10",
  "-6 route add fd10::/64 nhid 8",
];

test("a link's routes by next-hop objects are the same, whether the kernel spells them out or not", () => {
  using calls = kernelCalls();
  using netns = new HeldTestNetns(calls);
  for (const command of COMMANDS) netns.ip(...command.split(" "));
  const ifindex = netns.json("link", "show", "dev", "v0")[0].ifindex;
  const routes = () =>
    calls.snapshotLink({ netns: netns.ref, ifindex }).routes.filter(({ protocol }) => protocol === 3);
  const spelledOut = routes();
  expect(spelledOut.map(({ destination }) => destination)).toEqual([
    "10.11.0.0/16",
    "0.0.0.0/0",
    "10.10.0.0/16",
    "10.12.0.0/16",
    "10.13.0.0/16",
    "fd10::/64",
  ]);
  expect(spelledOut.find(({ table }) => table === 100)?.nextHops?.map(({ weight }) => weight)).toEqual([3, 2]);
  netns.exec("sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0");
  const byKey = (list: ReturnType<typeof routes>) =>
    list.map((route) => ({ ...route, attributes: route.attributes.toSorted((a, b) => a.type - b.type) }));
  expect(byKey(routes())).toEqual(byKey(spelledOut));
});
