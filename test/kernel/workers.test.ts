/** The kernel Workers behind their messages. */

import { expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { SysError } from "../../ffi/sys-error.ts";
import { type KernelWorkers, startKernel } from "../../src/kernel/client.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { eventually, ip, TestNetns, uniqueName } from "../lab/netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

function start(worker = "../../src/kernel/worker.ts"): Promise<KernelWorkers> {
  return startKernel({ createWorker: () => new Worker(new URL(worker, import.meta.url)), log: silentLogger });
}

test("both Workers do every call in the host's namespace and in another", async () => {
  await using kernel = await start();
  using netns = new TestNetns();
  netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  const onHost = uniqueName("nfh");
  ip("link", "add", onHost, "type", "veth");
  using _cleanUp = { [Symbol.dispose]: () => void ip("link", "del", onHost) };
  for (const worker of [kernel.hook, kernel.scan]) {
    const { fd, inode } = await worker.holdNetns({ path: netns.path });
    expect(netns.exec("stat", "-L", "-c", "%i", "/proc/self/ns/net").trim()).toBe(String(inode));
    const names = (links: readonly { ifname: string }[]) => links.map(({ ifname }) => ifname).sort();
    expect(names(await worker.listLinks({ netns: { fd } }))).toEqual(["lo", "v0", "v1"]);
    expect(names(await worker.listLinks({ netns: "host" }))).toContain(onHost);
    closeSync(fd);
  }
  const facts = await kernel.scan.scan({ sysfsRoot: "/sys", procRoot: "/proc", routeTo: ["127.0.0.1", "192.0.2.254"] });
  expect(facts.links.map(({ ifname }) => ifname)).toContain(onHost);
  expect(facts.locations[onHost]).toEqual({ isVirtual: true });
  expect(facts.routedBy["127.0.0.1"]).toBe(1);
});

test("a refusal of the kernel is a SysError on the main side too, with errno and the kernel's words", async () => {
  await using kernel = await start();
  const gone = kernel.hook.holdNetns({ path: "/nonexistent/netns" });
  expect(await gone.catch((error) => [error instanceof SysError, error.errnoName, error.target])).toEqual([
    true,
    "ENOENT",
    "/nonexistent/netns",
  ]);
  const kind = kernel.hook.createLink({ netns: "host", link: { ifname: uniqueName("nfx"), kind: "nosuchkind" } });
  expect(await kind.catch((error) => [error instanceof SysError, error.errnoName, error.kernelMessage])).toEqual([
    true,
    "EOPNOTSUPP",
    "Unknown device type",
  ]);
});

test("hook work does not wait for scans, and calls of one Worker keep their order", async () => {
  await using kernel = await start();
  const done: string[] = [];
  const scans = Array.from({ length: 200 }, (_, at) =>
    kernel.scan.readNamespace({ netns: "host" }).then(() => done.push(`scan ${at}`)),
  );
  await kernel.hook.listLinks({ netns: "host" });
  done.push("hook");
  await Promise.all(scans);
  expect(done.indexOf("hook")).toBeLessThan(150);
  expect(done.filter((entry) => entry !== "hook")).toEqual(scans.map((_, at) => `scan ${at}`));
});

test("an aborted call rejects at once, its work is done all the same, and the next answer is its own", async () => {
  await using kernel = await start();
  const ifname = uniqueName("nfc");
  using _cleanUp = { [Symbol.dispose]: () => void ip("link", "del", ifname) };
  const stop = new AbortController();
  const created = kernel.hook.createLink({ netns: "host", link: { ifname, kind: "veth" } }, stop.signal);
  const reason = new Error("no time left");
  stop.abort(reason);
  expect(await created.catch((error) => error)).toBe(reason);
  const links = await kernel.hook.listLinks({ netns: "host" });
  expect(links.map((link) => link.ifname)).toContain(ifname);
  expect(await kernel.hook.listLinks({ netns: "host" }, AbortSignal.abort(reason)).catch((error) => error)).toBe(
    reason,
  );
});

test("a Worker that dies rejects what was asked of it and what is asked after, and says so", async () => {
  await using kernel = await start("../fakes/dying-kernel-worker.ts");
  const pending = kernel.hook.listLinks({ netns: "host" }).catch((error) => error.message);
  const died = kernel.died.catch((error) => error.message);
  expect(await pending).toContain("hook kernel Worker");
  expect(await died).toContain("started anew");
  expect(await kernel.hook.listLinks({ netns: "host" }).catch((error) => error.message)).toBe(await died);
  expect(await kernel.checkAlive(AbortSignal.timeout(1000)).catch((error) => error.message)).toBe(await died);
});

test("checkAlive() names the Worker that does not answer", async () => {
  await using kernel = await start();
  await kernel.checkAlive(AbortSignal.timeout(20_000));
  await using mute = await start("../fakes/dying-kernel-worker.ts");
  const answer = await mute.checkAlive(AbortSignal.timeout(50)).catch((error) => error.message);
  expect(answer).toContain("kernel Worker does not answer");
});

test("Workers that gave back memory answer, and watch on", async () => {
  await using kernel = await start();
  let changes = 0;
  using _listening = kernel.onLinkChange(() => {
    changes += 1;
  });
  await eventually("the first change, told when the watch begins", () => changes === 1);
  kernel.shrink();
  for (const worker of [kernel.hook, kernel.scan])
    expect((await worker.listLinks({ netns: "host" })).map(({ ifname }) => ifname)).toContain("lo");
  const ifname = uniqueName("nfe");
  ip("link", "add", ifname, "type", "veth");
  using _cleanUp = { [Symbol.dispose]: () => void ip("link", "del", ifname) };
  await eventually("hearing of a link", () => changes > 1);
});

test("after disposal no call is taken, and those made before are answered", async () => {
  const kernel = await start();
  const last = kernel.hook.listLinks({ netns: "host" });
  await kernel[Symbol.asyncDispose]();
  expect((await last).map(({ ifname }) => ifname)).toContain("lo");
  expect(await kernel.hook.listLinks({ netns: "host" }).catch((error) => error.message)).toContain("was closed");
});

test("onLinkChange() hears of links, addresses and routes that come and go", async () => {
  await using kernel = await start();
  let changes = 0;
  using _listening = kernel.onLinkChange(() => {
    changes += 1;
  });
  await eventually("the first change, told when the watch begins", () => changes === 1);
  const ifname = uniqueName("nfe");
  const heard = async (what: string, ...args: readonly string[]) => {
    const before = changes;
    ip(...args);
    await eventually(`hearing of ${what}`, () => changes > before);
  };
  await heard("a link", "link", "add", ifname, "type", "veth");
  await heard("a link that is up", "link", "set", ifname, "up");
  await heard("an address", "addr", "add", "192.0.2.77/32", "dev", ifname);
  await heard("a route", "route", "add", "198.51.100.77/32", "dev", ifname);
  await heard("a link's end", "link", "del", ifname);
});
