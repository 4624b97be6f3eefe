/** The kernel refuses to move some kinds of links. What netferry offers is what it would move, on each kernel. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KernelName } from "../lab/vm/kernel.ts";
import { NETFERRY, startVm, type Vm } from "../lab/vm/vm.ts";

/** With a first start, which fetches the parts of the machine. */
const START_LIMIT_MS = 900_000;

/** Links on their own, by `ip link add TYPE type …`. */
const KINDS = {
  dummy: "",
  bond: "",
  team: "",
  bridge: "",
  vrf: "table 10",
  veth: "",
  vxlan: "id 5 dstport 4789",
  geneve: "id 7 remote 192.0.2.1",
  wireguard: "",
  ifb: "",
  netkit: "",
  batadv: "",
  xfrm: "if_id 5",
  gre: "remote 192.0.2.1",
  gretap: "remote 192.0.2.1",
  sit: "remote 192.0.2.1",
  ipip: "remote 192.0.2.1",
  ip6tnl: "remote 2001:db8::1",
  vti: "remote 192.0.2.1 key 5",
} as const;

/** Links on top of another one; each gets a dummy of its own. */
const UPPER_KINDS = { vlan: "id 5", macvlan: "", macvtap: "", ipvlan: "", ipvtap: "", macsec: "" } as const;

describe.each(["k73", "k612"] satisfies KernelName[])("kernel %s", (kernel) => {
  let vm: Vm;

  beforeAll(async () => {
    vm = await startVm({ kernel });
  }, START_LIMIT_MS);
  afterAll(() => vm?.[Symbol.asyncDispose]());

  test("links are offered that the kernel moves, and no others", async () => {
    await vm.run(
      [
        ...Object.entries(KINDS).map(
          ([kind, settings]) => `modprobe ${kind} 2>/dev/null; ip link add l-${kind} type ${kind} ${settings}`,
        ),
        ...Object.entries(UPPER_KINDS).flatMap(([kind, settings]) => [
          `ip link add on-${kind} type dummy`,
          `ip link add link on-${kind} name l-${kind} type ${kind} ${settings}`,
        ]),
      ].join(" || exit 1\n"),
    );
    const devices: { attributes: Record<string, { string?: string }> }[] = JSON.parse(
      await vm.run(`${NETFERRY} devices --filter= -o json`),
    );
    const offered = devices.map((device) => device.attributes["dra.net/ifName"]?.string);

    const links: { ifname: string }[] = JSON.parse(await vm.run("ip -j link"));
    // The upper ones first: a macsec dies when the link below it moves.
    const names = links.map((link) => link.ifname).toReversed();
    const moves = `for l in ${names.join(" ")}; do if m=$(ip link set $l netns other 2>&1); then m=moved; fi; echo "$l: $m"; done`;
    const answers = (await vm.run(`ip netns add other; ${moves}`)).trim().split("\n");
    const refused = answers.filter((answer) => !answer.endsWith(": moved"));
    for (const answer of refused) expect(answer).toContain("netns is immutable");
    const moved = answers.filter((answer) => answer.endsWith(": moved")).map((answer) => answer.split(":")[0] ?? "");
    expect(offered.toSorted()).toEqual(moved.toSorted());
    // The test would be no test if all were moved, or none.
    for (const kind of ["bond", "bridge", "vrf", "team"]) expect(moved).not.toContain(`l-${kind}`);
    for (const kind of ["dummy", "vlan", "ipvlan", "netkit"]) expect(moved).toContain(`l-${kind}`);
    for (const fallback of ["tunl0", "gre0", "sit0", "ip6tnl0"]) expect(moved).not.toContain(fallback);
  });
});
