/** The lab itself: it must leave nothing behind, or every other test of this folder poisons the machine. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { eventually } from "../fakes/eventually.ts";
import { startContainerd } from "../lab/runtime/containerd.ts";
import { cniResults, findMounts, findProcesses, shimSockets } from "../lab/runtime/leftovers.ts";
import { Pods } from "../lab/runtime/pods.ts";

/** Links that are up and have an address, among them the host's ends of the pods' veth pairs. */
const links = () => Object.keys(networkInterfaces()).sort();
for (const [death, signal] of [
  ["in order", undefined],
  ["killed", "SIGKILL"],
] as const) {
  test(`stop() leaves nothing of a containerd with a live pod that was ${death}`, async () => {
    await using lab = await startContainerd({ suite: "sid" });
    const pods = new Pods(lab);
    const others = links(); // somebody else's pods may run on this machine
    const pod = await pods.run({ name: "left" });
    await pods.launch(pod, { name: "main" });
    const hostEnds = links().filter((name) => name.startsWith("veth") && !others.includes(name));
    expect(hostEnds.length).toBeGreaterThan(0);
    expect(findProcesses(lab.dir, lab.cgroup).length).toBeGreaterThanOrEqual(3); // shim, pause, main
    expect(findMounts(lab.dir).length).toBeGreaterThan(0);
    expect(cniResults([pod.sandboxId]).length).toBe(2); // lo and eth0
    const sockets = shimSockets(lab.dir);
    expect(sockets.map((path) => existsSync(path))).toEqual([true]);
    if (signal !== undefined && lab.pid !== undefined) {
      const { pid } = lab;
      process.kill(pid, signal);
      await eventually("containerd is dead", () => !existsSync(`/proc/${pid}/exe`));
    }
    await lab.stop();
    expect(findProcesses(lab.dir, lab.cgroup)).toEqual([]);
    expect(findMounts(lab.dir)).toEqual([]);
    expect(cniResults([pod.sandboxId])).toEqual([]);
    expect(existsSync(lab.dir)).toBe(false);
    expect(sockets.filter((path) => existsSync(path))).toEqual([]);
    expect(existsSync(`/sys/fs/cgroup/memory${lab.cgroup}`)).toBe(false);
    expect(existsSync(`/sys/fs/cgroup${lab.cgroup}`)).toBe(false);
    // The kernel takes a namespace down in its own time, which on a busy machine is half a minute.
    const isLeft = (name: string) => links().includes(name);
    await eventually("the host's end of the veth pair is gone", () => !hostEnds.some(isLeft), 120_000);
  }, 180_000);
}
