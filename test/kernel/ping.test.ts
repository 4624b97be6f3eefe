import { expect, test } from "bun:test";
import { join } from "node:path";

const PING = join(import.meta.dir, "../../ffi/ping.ts");

/** Pings the loopback in a fresh network namespace, after `prepare`, and prints the milliseconds or the error. */
function pingIn(prepare: string, address: string): string {
  const script = `
    const { EchoSocket } = await import(${JSON.stringify(PING)});
    using socket = new EchoSocket();
    const echo = () => socket.echo(Uint8Array.from(${JSON.stringify(address.split(".").map(Number))}), 300);
    try { console.log(typeof echo(), typeof echo()); } catch (error) { console.log(error.errnoName); }`;
  const enter = ["unshare", "--user", "--map-root-user", "--net", "sh", "-ec", `${prepare}; exec "$@"`, "sh"];
  const run = Bun.spawnSync([...enter, process.execPath, "-e", script]);
  if (!run.success) throw new Error(run.stderr.toString());
  return run.stdout.toString().trim();
}

const UP = "ip link set lo up";

test("echo() gives the time of an answer, of each of two requests", () => {
  expect(pingIn(UP, "127.0.0.1")).toBe("number number");
});

test("echo() gives nothing when nobody answers", () => {
  expect(pingIn(`${UP}; echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all`, "127.0.0.1")).toBe("undefined undefined");
});

test("echo() throws the kernel's error when no route leads there", () => {
  expect(pingIn(UP, "192.0.2.1")).toBe("ENETUNREACH");
});
