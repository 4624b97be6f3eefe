import { expect, test } from "bun:test";
import { SysfsTree } from "../../test/fakes/sysfs.ts";
import { nearNodes, readNumaNodes } from "./numa.ts";

/** Two sockets of two nodes each (sub-NUMA clustering), and a node that has memory alone. */
const MACHINE = {
  "devices/system/node/node0/cpulist": "0-1\n",
  "devices/system/node/node0/distance": "10 12 21 21 24\n",
  "devices/system/node/node1/cpulist": "2-3\n",
  "devices/system/node/node1/distance": "12 10 21 21 24\n",
  "devices/system/node/node2/cpulist": "4-5\n",
  "devices/system/node/node2/distance": "21 21 10 12 24\n",
  "devices/system/node/node3/cpulist": "6-7\n",
  "devices/system/node/node3/distance": "21 21 12 10 24\n",
  "devices/system/node/node10/cpulist": "\n",
  "devices/system/node/node10/distance": "24 24 24 24 10\n",
  "devices/system/node/online": "0-3,10\n",
  "devices/system/node/has_memory": "0-2,10\n",
  ...Object.fromEntries(
    [0, 2, 4, 6].map((cpu) => [
      `devices/system/cpu/cpu${cpu}/topology/physical_package_id`,
      `${Math.floor(cpu / 4)}\n`,
    ]),
  ),
};

test("readNumaNodes() reads CPUs, sockets and distances, by id", () => {
  using tree = new SysfsTree(MACHINE);
  const nodes = readNumaNodes(tree.root);
  expect(nodes.map(({ id, package: socket }) => [id, socket])).toEqual([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
    [10, undefined],
  ]);
  expect(nodes[2]).toEqual({
    id: 2,
    cpus: [4, 5],
    package: 1,
    distances: { 0: 21, 1: 21, 2: 10, 3: 12, 10: 24 },
    hasMemory: true,
  });
  expect(nodes[3]?.hasMemory).toBe(false);
  expect(nodes[4]?.cpus).toEqual([]);
});

test("nearNodes() lists the node first, then its socket's others, and no node of another socket", () => {
  using tree = new SysfsTree(MACHINE);
  const nodes = readNumaNodes(tree.root);
  expect([0, 3, 10, 7].map((id) => nearNodes(id, nodes))).toEqual([[0, 1], [3, 2], [10], [7]]);
});

test("nearNodes() lists of the socket only the nodes at the least distance", () => {
  const at = (id: number, ...row: number[]) => ({ id, cpus: [id], package: 0, distances: { ...row }, hasMemory: true });
  const nodes = [at(0, 10, 12, 16), at(1, 12, 10, 12), at(2, 16, 12, 10)];
  expect([0, 1, 2].map((id) => nearNodes(id, nodes))).toEqual([
    [0, 1],
    [1, 0, 2],
    [2, 1],
  ]);
});

test("readNumaNodes() gives none where the kernel has no NUMA", () => {
  expect(readNumaNodes("/nonexistent")).toEqual([]);
});
