/**
 * Fault points: places where a test may kill the process, hold up the thread or have it collect all its garbage. They
 * exist only in executables built with `--define NETFERRY_FAULTS=true`. There `NETFERRY_FAULT` holds a list such as
 * `kill:attach.moved,slow:kernel.moveLink:2500,gc:kernel.ping`, the number in milliseconds.
 */

declare const NETFERRY_FAULTS: boolean | undefined;

const ENABLED: boolean = typeof NETFERRY_FAULTS !== "undefined" && NETFERRY_FAULTS === true;

/** Does nothing, unless this is a build for tests that was asked for a fault at `name`. */
export function faultPoint(name: string): void {
  if (ENABLED) strike(name, process.env["NETFERRY_FAULT"] ?? "");
}

function strike(name: string, wanted: string): void {
  for (const entry of wanted.split(",")) {
    const [kind, point, duration] = entry.trim().split(":");
    if (point !== name) continue;
    if (kind === "kill") process.kill(process.pid, "SIGKILL");
    // The thread itself stops, as it does in a kernel that does not answer; a timer would let other work pass.
    else if (kind === "slow") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(duration));
    else if (kind === "gc") collectGarbage();
    else throw new Error(`NETFERRY_FAULT names the fault "${kind}" at ${name}; there are kill, slow and gc`);
  }
}

/** Down to what is reachable: compiled functions go too, and free memory back to the system. */
function collectGarbage(): void {
  Bun.gc(true);
  Bun.shrink();
}
