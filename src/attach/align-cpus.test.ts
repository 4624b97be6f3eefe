import { expect, test } from "bun:test";
import { alignCpus } from "./align-cpus.ts";

const place = (node: number, cpus: string, hasMemory = true) => ({ node, cpus, hasMemory });
const FREE = { cpus: "", mems: "" };

test("alignCpus() binds a container that may run anywhere to the CPUs and the memory of its device's node", () => {
  expect(alignCpus([place(1, "4-7")], FREE)).toEqual({ adjust: { cpus: "4-7", mems: "1" } });
});

test("alignCpus() only narrows: what the container may not use it does not get", () => {
  expect(alignCpus([place(1, "4-7")], { cpus: "0-5", mems: "0-1" })).toEqual({ adjust: { cpus: "4-5", mems: "1" } });
  expect(alignCpus([place(1, "4-7")], { cpus: "4-5", mems: "1" })).toEqual({ adjust: {} });
});

test("alignCpus() leaves a container that is bound to another node as it is, and says why", () => {
  expect(alignCpus([place(1, "4-7")], { cpus: "0-3", mems: "0" })).toEqual({
    adjust: {},
    problem: "it is bound to CPUs 0-3, and NUMA node 1 has CPUs 4-7",
  });
  expect(alignCpus([place(1, "4-7")], { cpus: "all", mems: "" }).problem).toContain("bound to CPUs all");
  expect(alignCpus([place(1, "4-7")], { cpus: "", mems: "0" })).toEqual({
    adjust: { cpus: "4-7" },
    problem: "its memory is bound to nodes 0, and its devices are at NUMA node 1",
  });
});

test("alignCpus() takes the nodes of several devices together", () => {
  expect(alignCpus([place(2, "8-9"), place(0, "0-1"), place(0, "0-1")], FREE)).toEqual({
    adjust: { cpus: "0-1,8-9", mems: "0,2" },
  });
});

test("alignCpus() leaves memory alone at a node that has none, and CPUs at one of memory alone", () => {
  expect(alignCpus([place(1, "4-7", false)], FREE)).toEqual({ adjust: { cpus: "4-7" } });
  expect(alignCpus([place(4, "")], FREE)).toEqual({ adjust: {}, problem: "NUMA node 4 has no CPUs" });
});
