/** What the product sees of hardware: igb ports with SR-IOV on two NUMA nodes, and RDMA devices that come and go. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectGolden } from "../fakes/golden.ts";
import { NETFERRY, startVm, type Vm } from "../lab/vm/vm.ts";

/** With a first start, which fetches the parts of the machine. */
const START_LIMIT_MS = 900_000;

const [PF0, PF1] = ["0000:41:00.0", "0000:81:00.0"];
/** The VFs of the second port: offset 128, stride 2. */
const [VF0, VF1] = ["0000:81:10.0", "0000:81:10.2"];

interface Published {
  readonly name: string;
  readonly attributes: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

describe("a machine with two igb ports, two NUMA nodes and two VFs", () => {
  let vm: Vm;

  beforeAll(async () => {
    vm = await startVm({ kernel: "k73", igb: 2, numa: 2 });
    await vm.run("modprobe -a igb dummy rdma_rxe siw");
    await nameLink(PF0, "p0");
    await nameLink(PF1, "p1");
    await vm.run("ip link set p0 up && ip link set p1 up");
    await vm.run(`echo 2 >/sys/bus/pci/devices/${PF1}/sriov_numvfs && modprobe igbvf`);
    await nameLink(VF0, "p1v0", "52:54:00:cc:00:00");
    await nameLink(VF1, "p1v1", "52:54:00:cc:00:01");
    await vm.run("ip link add dum0 address 52:54:00:dd:00:00 type dummy");
    await vm.until("both ports have a carrier", "grep -qx up /sys/class/net/p0/operstate /sys/class/net/p1/operstate");
  }, START_LIMIT_MS);
  afterAll(() => vm?.[Symbol.asyncDispose]());

  /** Which number a link gets is chance, so the links are found by their functions. */
  async function nameLink(address: string, name: string, mac?: string): Promise<void> {
    const links = `/sys/bus/pci/devices/${address}/net`;
    await vm.until(`${address} has a link`, `test -d ${links}`);
    await vm.run(`ip link set "$(ls ${links})" name ${name} ${mac === undefined ? "" : `address ${mac}`}`);
  }

  /** Runs `task` while the link carries an RDMA device. */
  async function withRdma<T>(link: string, kind: string, task: (name: string) => Promise<T>): Promise<T> {
    await vm.run(`rdma link add r-${link} type ${kind} netdev ${link}`);
    return await task(`r-${link}`).finally(() => vm.run(`rdma link del r-${link}`));
  }

  async function published(): Promise<Published[]> {
    return JSON.parse(await vm.run(`${NETFERRY} devices --filter= -o json`));
  }

  async function attributes(device: string): Promise<Published["attributes"]> {
    return (await published()).find(({ name }) => name === device)?.attributes ?? {};
  }

  test("PFs and VFs are offered with their place: NUMA node, PCIe root, and who is a VF", async () => {
    const devices = await published();
    expectGolden("vm-igb.json", `${JSON.stringify(devices, null, 2)}\n`);
  });

  test("what sysfs calls the NUMA node and the PCIe root of a function is what is offered", async () => {
    for (const address of [PF0, PF1, VF0, VF1]) {
      const node = Number(await vm.run(`cat /sys/bus/pci/devices/${address}/numa_node`));
      const path = await vm.run(`readlink -f /sys/bus/pci/devices/${address}`);
      const offered = await attributes(`pci-${address.replaceAll(/[:.]/g, "-")}`);
      expect(offered["dra.net/numaNode"]).toEqual({ int: node });
      expect(offered["resource.kubernetes.io/pcieRoot"]).toEqual({ string: path.split("/")[3] ?? "" });
    }
  });

  test("an RDMA device that is added to a link and deleted again shows in the link's attributes, and goes", async () => {
    const cases = [
      { device: "pci-0000-41-00-0", link: "p0", kind: "rxe" },
      { device: "pci-0000-81-10-0", link: "p1v0", kind: "rxe" },
      { device: "dum0", link: "dum0", kind: "siw" },
    ];
    for (const { device, link, kind } of cases) {
      const before = await attributes(device);
      expect(before["dra.net/rdma"]).toEqual({ bool: false });
      await withRdma(link, kind, async (name) => {
        const [port] = JSON.parse(await vm.run(`rdma -j link show ${name}/1`));
        expect(await attributes(device)).toEqual({
          ...before,
          "dra.net/rdma": { bool: true },
          "dra.net/rdmaDevice": { string: name },
          "dra.net/rdmaLinkLayer": { string: "Ethernet" },
          "dra.net/rdmaNodeGuid": { string: (await vm.run(`cat /sys/class/infiniband/${name}/node_guid`)).trim() },
          "dra.net/rdmaPortState": { string: port.state },
          "dra.net/rdmaProvider": { bool: true },
          "dra.net/rdmaSpeedMbps": { int: 2_500 }, // what both drivers say of themselves: 1X SDR
        });
      });
      expect(await attributes(device)).toEqual(before);
    }
  });

  test("an RDMA device that libibverbs has no provider of is offered, and says so", async () => {
    const offered = await withRdma("p0", "rxe", async () => {
      await vm.run("mount -t tmpfs none /etc/libibverbs.d");
      return await attributes("pci-0000-41-00-0").finally(() => vm.run("umount /etc/libibverbs.d"));
    });
    expect(offered["dra.net/rdma"]).toEqual({ bool: true });
    expect(offered["dra.net/rdmaProvider"]).toEqual({ bool: false });
  });

  test("a PF without its VFs, and a function without its driver, change what is offered, and back", async () => {
    const before = await published();
    await vm.run(`echo 0 >/sys/bus/pci/devices/${PF1}/sriov_numvfs`);
    expect((await published()).map(({ name }) => name)).toEqual(["dum0", "pci-0000-41-00-0", "pci-0000-81-00-0"]);
    expect((await attributes("pci-0000-81-00-0"))["dra.net/sriovVfs"]).toEqual({ int: 0 });
    await vm.run(`echo ${PF0} >/sys/bus/pci/drivers/igb/unbind`);
    expect((await published()).map(({ name }) => name)).toEqual(["dum0", "pci-0000-81-00-0"]);
    await vm.run(`echo ${PF0} >/sys/bus/pci/drivers/igb/bind`);
    await nameLink(PF0, "p0");
    await vm.run(`ip link set p0 up && echo 2 >/sys/bus/pci/devices/${PF1}/sriov_numvfs`);
    await nameLink(VF0, "p1v0", "52:54:00:cc:00:00");
    await nameLink(VF1, "p1v1", "52:54:00:cc:00:01");
    await vm.until("the port has a carrier", "grep -qx up /sys/class/net/p0/operstate");
    expect(await published()).toEqual(before);
  });
});
