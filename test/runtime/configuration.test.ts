/** What a claim's configuration says, from the API server to the pod's namespace, and what is refused on the way. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import { settled } from "../lab/claim-life.ts";
import { expectHostState, hostState } from "../lab/host-state.ts";
import { hasLink, ip, uniqueName } from "../lab/links.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { refusal } from "../lab/refusal.ts";

const TEST_LIMIT_MS = 60_000;

describe("an agent with --strict-claims", () => {
  const at = nodeForTests({ agent: { args: ["--strict-claims"] } });

  /** A link that is up, with an address. */
  async function device(): Promise<string> {
    const { ifname } = at.links.vethToPeer(["10.81.0.1/24"]);
    ip("addr", "add", "10.81.0.5/24", "dev", ifname);
    ip("link", "set", ifname, "up");
    await settled(ifname);
    return ifname;
  }

  test(
    "gives a pod the link's rules and neighbours, and the settings that the claim asks for, and takes them back",
    async () => {
      const ifname = await device();
      ip(
        "route",
        "add",
        "10.82.0.0/16",
        "via",
        "10.81.0.1",
        "dev",
        ifname,
        "table",
        "4711",
        "metric",
        "9",
        "src",
        "10.81.0.5",
      );
      at.links.run(
        [
          "rule",
          "add",
          "iif",
          ifname,
          "fwmark",
          "0x5/0xff",
          "ipproto",
          "tcp",
          "dport",
          "80",
          "lookup",
          "4711",
          "prio",
          "4711",
        ],
        ["rule", "del", "prio", "4711"],
      );
      ip("neigh", "add", "10.81.0.9", "lladdr", "02:00:00:00:00:09", "dev", ifname, "nud", "permanent");
      const before = hostState(ifname);
      const claim = at.node.claim(uniqueName("conf"), {
        devices: ifname,
        config: {
          interface: {
            name: "net1",
            forwarding: true,
            arpIgnore: 1,
            acceptRA: 0,
            dadTransmits: 3,
            gsoMaxSize: 100_000,
          },
        },
      });
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      const netns = (await at.node.pods.netns(pod)) ?? "";
      const inPod = (...command: string[]) => {
        const { stdout, stderr } = Bun.spawnSync(["nsenter", `--net=${netns}`, ...command]);
        return stdout.toString() + stderr.toString();
      };
      expect(inPod("ip", "route", "show", "table", "4711")).toContain(
        "10.82.0.0/16 via 10.81.0.1 dev net1 src 10.81.0.5 metric 9",
      );
      expect(inPod("ip", "rule")).toContain(
        "4711:\tfrom all fwmark 0x5/0xff iif net1 ipproto tcp dport 80 lookup 4711",
      );
      expect(inPod("ip", "neigh", "show", "dev", "net1")).toContain("10.81.0.9 lladdr 02:00:00:00:00:09 PERMANENT");
      expect(inPod("ip", "-d", "link", "show", "net1")).toContain("gso_max_size 100000");
      const sysctl = (path: string) => inPod("cat", `/proc/sys/net/${path}`).trim();
      expect(
        [
          "ipv4/conf/net1/forwarding",
          "ipv4/conf/net1/arp_ignore",
          "ipv6/conf/net1/accept_ra",
          "ipv6/conf/net1/dad_transmits",
        ].map(sysctl),
      ).toEqual(["1", "1", "0", "3"]);

      await at.node.kubelet.endPod(pod, [claim]);
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await settled(ifname);
      await expectHostState(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test(
    "refuses what it does not serve, what is wrong and what is not the claim's, all in one answer, and touches nothing",
    async () => {
      const ifname = await device();
      const before = hostState(ifname);
      const claim = at.node.claim(uniqueName("bad"), {
        devices: ifname,
        config: {
          interface: { mode: "x", mtu: 5, hardwareAddr: "02:00:00:00:00:77" },
          ethtool: { rings: { rx: 512 } },
          vf: { trust: true },
        },
      });
      const words = await refusal(at.node.kubelet.prepare(claim));
      for (const part of [
        `claim default/${claim.name}`,
        "interface.mode: is not served in this version of netferry",
        "interface.mtu: 5 is not a whole number between 68 and 2147483647",
        "interface.hardwareAddr: is closed to claims by --strict-claims",
        "ethtool.rings: has an effect beyond the pod",
        "vf.trust: has an effect beyond the pod",
      ])
        expect(words).toContain(part);
      const tooLarge = at.node.claim(uniqueName("big"), {
        devices: ifname,
        config: { interface: { groMaxSize: 600_000 } },
      });
      expect(await refusal(at.node.kubelet.prepare(tooLarge))).toContain(
        `claim default/${tooLarge.name} asks for what device ${ifname} cannot be given on this node: interface.groMaxSize is 600000, but ${ifname} takes at most 524280`,
      );
      expect(hostState(ifname)).toEqual(before);
      expect(await at.agent.metric('dranet_driver_devices{state="prepared"}')).toBe(0);
    },
    TEST_LIMIT_MS,
  );

  test(
    "leaves at home a route that the pod's kernel would refuse, and says so",
    async () => {
      const ifname = await device();
      ip("addr", "add", "10.83.0.5/24", "dev", ifname, "valid_lft", "900", "preferred_lft", "900");
      ip("route", "add", "10.84.0.0/16", "via", "10.83.0.1", "dev", ifname, "proto", "dhcp");
      const claim = at.node.claim(uniqueName("dhcp"), { devices: ifname, config: {} });
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      const line = await at.agent.logged((one) => one.message === "claim prepared" && one["claimUid"] === claim.uid);
      expect(line["leftOut"]).toEqual([
        "route 10.84.0.0/16 of table 254 stays on the host: the addresses that the link takes along do not reach its gateway 10.83.0.1",
      ]);
      await at.node.kubelet.endPod(pod, [claim]);
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      expect(ip("route", "show", "10.84.0.0/16")).toContain("via 10.83.0.1");
    },
    TEST_LIMIT_MS,
  );
});
