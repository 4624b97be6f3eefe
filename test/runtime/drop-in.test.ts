/** What DRANET's own end-to-end suite asks of a driver, asked of this one: configuration in, what `ip` says of the pod out. */

import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { inNetns } from "../../ffi/netns.ts";
import type { Link } from "../../src/netlink/link.ts";
import { listLinks } from "../../src/netlink/links.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { SLICES } from "../fakes/api-server.ts";
import { eventually } from "../fakes/eventually.ts";
import { settled } from "../lab/claim-life.ts";
import { hasLink, ip, uniqueName } from "../lab/links.ts";
import { run } from "../lab/netns.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { addTcProgram, addTcx } from "../lab/programs.ts";
import { refusal } from "../lab/refusal.ts";
import type { ClaimRef } from "../lab/runtime/kubelet.ts";
import type { Pod } from "../lab/runtime/pods.ts";

const TEST_LIMIT_MS = 60_000;

const at = nodeForTests({ agent: {} });

interface Attributes {
  readonly [name: string]: { readonly string?: string; readonly bool?: boolean; readonly int?: number };
}

function published(device: string): Attributes | undefined {
  return at.node.api.store
    .list(SLICES)
    .flatMap((slice) => slice.spec?.["devices"] as { name: string; attributes: Attributes }[])
    .find(({ name }) => name === device)?.attributes;
}

/** `words` as one would type them. */
function host(words: string): string {
  return ip(...words.split(" "));
}

/** A link that is up. */
function link(name?: string): string {
  const { ifname } = at.links.vethToPeer();
  if (name !== undefined) host(`link set ${ifname} name ${name}`);
  host(`link set ${name ?? ifname} up`);
  return name ?? ifname;
}

class RunningPod implements AsyncDisposable {
  readonly #pod: Pod;
  readonly #claim: ClaimRef;
  readonly #netns: string;
  readonly #ifname: string;

  private constructor(pod: Pod, claim: ClaimRef, netns: string, ifname: string) {
    this.#pod = pod;
    this.#claim = claim;
    this.#netns = netns;
    this.#ifname = ifname;
  }

  /** `device` is the name in the pool where it is not the link's. */
  static async start(ifname: string, config: object, device = ifname): Promise<RunningPod> {
    await eventually(`${device} is offered`, () => published(device) !== undefined);
    const claim = at.node.claim(uniqueName("like"), { devices: device, config });
    const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
    expect(hasLink(ifname)).toBe(false);
    return new RunningPod(pod, claim, (await at.node.pods.netns(pod)) ?? "", ifname);
  }

  exec(words: string): string {
    return run(["nsenter", `--net=${this.#netns}`, ...words.split(" ")]);
  }

  /** By our own reader. */
  link(ifname: string): Link | undefined {
    const fd = openSync(this.#netns, "r");
    try {
      using socket = inNetns(fd, () => new NetlinkSocket());
      return listLinks(socket).find((one) => one.ifname === ifname);
    } finally {
      closeSync(fd);
    }
  }

  sysctl(path: string): string {
    return this.exec(`cat /proc/sys/net/${path}`).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await at.node.kubelet.endPod(this.#pod, [this.#claim]);
    await eventually(`${this.#ifname} is home`, () => hasLink(this.#ifname));
  }
}

describe("the link in the pod", () => {
  test(
    "is claimed by a normalised name where its own is no DNS label, and has the address asked for",
    async () => {
      const ifname = link("mlx5_6");
      // The bytes of mlx5_6 in base32.
      await using pod = await RunningPod.start(
        ifname,
        { interface: { name: "eth99", addresses: ["169.254.169.13/32"] } },
        "net-nvwhqnk7gy",
      );
      expect(published("net-nvwhqnk7gy")?.["dra.net/ifName"]).toEqual({ string: "mlx5_6" });
      expect(pod.exec("ip addr show eth99")).toContain("inet 169.254.169.13/32 ");
    },
    TEST_LIMIT_MS,
  );

  test(
    "has the ARP and router advertisement settings that the pod's other links have not",
    async () => {
      const config = { interface: { name: "arp0", arpIgnore: 1, arpAnnounce: 2, acceptRA: 0 } };
      await using pod = await RunningPod.start(link(), config);
      const settings = ["ipv4/conf/NAME/arp_ignore", "ipv4/conf/NAME/arp_announce", "ipv6/conf/NAME/accept_ra"];
      const of = (name: string) => settings.map((path) => pod.sysctl(path.replace("NAME", name)));
      expect(of("arp0")).toEqual(["1", "2", "0"]);
      for (const [index, value] of of("default").entries()) expect(value).not.toBe(of("arp0")[index]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "has the MTU, the hardware address and the features asked for",
    async () => {
      const config = {
        interface: { name: "net1", addresses: ["169.254.169.14/24"], mtu: 4321, hardwareAddr: "00:11:22:33:44:55" },
        ethtool: {
          features: {
            "tcp-segmentation-offload": false,
            "generic-receive-offload": false,
            "large-receive-offload": false,
          },
        },
      };
      await using pod = await RunningPod.start(link(), config);
      const shown = pod.exec("ip addr show net1");
      for (const part of ["169.254.169.14/24", "mtu 4321", "00:11:22:33:44:55"]) expect(shown).toContain(part);
      const features = pod.exec("ethtool -k net1");
      for (const name of ["tcp-segmentation-offload", "generic-receive-offload", "large-receive-offload"])
        expect(features).toContain(`${name}: off`);
    },
    TEST_LIMIT_MS,
  );

  test(
    "has the sizes of Big TCP for both families",
    async () => {
      const sizes = { gsoMaxSize: 65_536, groMaxSize: 65_536, gsoIPv4MaxSize: 65_536, groIPv4MaxSize: 65_536 };
      const config = {
        interface: { name: "big0", mtu: 8896, ...sizes },
        ethtool: { features: { "tcp-segmentation-offload": true, "generic-receive-offload": true } },
      };
      await using pod = await RunningPod.start(link(), config);
      const shown = pod.exec("ip -d link show big0");
      for (const part of ["mtu 8896", "gso_max_size 65536", "gro_max_size 65536"]) expect(shown).toContain(part);
      // Not every iproute2 tells those of IPv4.
      expect(pod.link("big0")).toMatchObject({ gsoIpv4MaxSize: 65_536, groIpv4MaxSize: 65_536 });
      expect(pod.exec("ethtool -k big0")).toContain("tcp-segmentation-offload: on");
    },
    TEST_LIMIT_MS,
  );

  test(
    "has the permanent neighbours of the host's link, of both families",
    async () => {
      const ifname = link();
      host(`addr add 169.254.169.15/32 dev ${ifname}`);
      host(`neigh add 192.168.1.1 lladdr 00:11:22:33:44:55 dev ${ifname} nud permanent`);
      host(`-6 neigh add 2001:db8::1 lladdr 00:aa:bb:cc:dd:ee dev ${ifname} nud permanent`);
      await using pod = await RunningPod.start(ifname, { interface: { name: "eth99" } });
      const neighbours = pod.exec("ip neigh show nud permanent");
      expect(neighbours).toContain("192.168.1.1 dev eth99 lladdr 00:11:22:33:44:55 PERM");
      expect(neighbours).toContain("2001:db8::1 dev eth99 lladdr 00:aa:bb:cc:dd:ee PERM");
    },
    TEST_LIMIT_MS,
  );

  test(
    "has the routes of its own tables, and the rules that lead there",
    async () => {
      const ifname = link();
      host(`addr add 169.254.169.13/24 dev ${ifname}`);
      host(`route add 10.10.10.0/24 via 169.254.169.1 dev ${ifname} table 1100`);
      at.links.run("rule add from 10.20.30.0/24 table 1100 priority 500".split(" "), [
        "rule",
        "del",
        "priority",
        "500",
      ]);
      await using pod = await RunningPod.start(ifname, { interface: { name: "eth99" } });
      expect(pod.exec("ip route show table 1100")).toContain("10.10.10.0/24 via 169.254.169.1 dev eth99");
      expect(pod.exec("ip rule show")).toMatch(/^500:\s+from 10\.20\.30\.0\/24 lookup 1100/m);
    },
    TEST_LIMIT_MS,
  );

  test(
    "has its IPv6 subnet's route once, from the kernel",
    async () => {
      const ifname = link();
      host(`-6 addr add fd36::3:0:e:0:0/96 dev ${ifname}`);
      await settled(ifname);
      await using pod = await RunningPod.start(ifname, {});
      const routes = pod.exec("ip -6 route show").split("\n");
      expect(routes.filter((line) => line.startsWith("fd36::"))).toEqual([
        expect.stringContaining(`fd36::3:0:e:0:0/96 dev ${ifname} proto kernel metric 256 pref medium`),
      ]);
    },
    TEST_LIMIT_MS,
  );
});

test(
  "tc and TCX programs of a link are attributes of its device",
  async () => {
    const ifname = link();
    const ifindex = JSON.parse(host(`-j link show dev ${ifname}`))[0].ifindex;
    const netns = openSync("/proc/self/ns/net", "r");
    try {
      run(["tc", "qdisc", "add", "dev", ifname, "clsact"]);
      addTcProgram(netns, ifindex, "ingress", "dummy_bpf.o:[classifier]");
      addTcx(netns, ifindex, "ingress", "handle_ingress");
    } finally {
      closeSync(netns);
    }
    await eventually("the programs are published", () => published(ifname)?.["dra.net/tcxProgramNames"] !== undefined);
    expect(published(ifname)).toMatchObject({
      "dra.net/ebpf": { bool: true },
      "dra.net/tcFilterNames": { string: "dummy_bpf.o:[classifier]" },
      "dra.net/tcxProgramNames": { string: "handle_ingress" },
    });
  },
  TEST_LIMIT_MS,
);

test(
  "a second pod finds the address that the first one's link brought home, which nobody had to add again",
  async () => {
    const ifname = link();
    host(`addr add 169.254.169.14/32 dev ${ifname}`);
    for (let attempt = 0; attempt < 2; attempt++) {
      await using pod = await RunningPod.start(ifname, {});
      expect(pod.exec(`ip addr show ${ifname}`)).toContain("inet 169.254.169.14/32 ");
    }
  },
  TEST_LIMIT_MS,
);

test(
  "an allocated device is published with the same attributes, also by the agent's next process",
  async () => {
    const ifname = link();
    host(`addr add 10.79.0.1/24 dev ${ifname}`);
    await settled(ifname);
    await at.agent.settled();
    const before = published(ifname);
    expect(before).toBeDefined();
    await using _pod = await RunningPod.start(ifname, { interface: { name: "net1", mtu: 1400 } });
    await at.agent.settled();
    expect(published(ifname)).toEqual(before ?? {});
    expect(await at.agent.stop()).toBe(0);
    await at.nextAgent();
    await at.agent.settled();
    expect(published(ifname)).toEqual(before ?? {});
  },
  TEST_LIMIT_MS,
);

test(
  "the metrics have DRANET's names, and count pods without a claim apart",
  async () => {
    {
      await using _pod = await RunningPod.start(link(), {});
    }
    await refusal(at.node.kubelet.prepare(at.node.claim(uniqueName("none"), { devices: "no-such-device" })));
    const stranger = await at.node.pods.run({ name: uniqueName("stranger") });
    await at.node.pods.stop(stranger);
    await at.node.pods.remove(stranger);
    const text = await (await fetch(`${await at.agent.url()}metrics`)).text();
    for (const name of [
      "process_start_time_seconds",
      'dranet_driver_published_devices_total{feature="total"}',
      'dranet_driver_published_devices_total{feature="rdma"}',
      "dranet_driver_last_published_time_seconds",
      'dranet_driver_dra_plugin_requests_total{method="PrepareResourceClaims",status="success"}',
      'dranet_driver_dra_plugin_requests_total{method="PrepareResourceClaims",status="failed"}',
      'dranet_driver_dra_plugin_requests_total{method="UnprepareResourceClaims",status="success"}',
      'dranet_driver_dra_plugin_requests_latency_seconds_count{method="PrepareResourceClaims"}',
      'dranet_driver_nri_plugin_requests_total{method="StopPodSandbox",status="success"}',
      'dranet_driver_nri_plugin_requests_total{method="RemovePodSandbox",status="noop"}',
      'dranet_driver_nri_plugin_requests_total{method="RunPodSandbox",status="success"}',
      'dranet_driver_nri_plugin_requests_total{method="RunPodSandbox",status="noop"}',
      'dranet_driver_nri_plugin_requests_total{method="CreateContainer",status="success"}',
      'dranet_driver_nri_plugin_requests_latency_seconds_count{method="StopPodSandbox",status="noop"}',
    ])
      expect(text).toContain(`\n${name} `);
  },
  TEST_LIMIT_MS,
);
