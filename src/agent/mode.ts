import type { Ferry } from "../attach/ferry.ts";
import type { Leases } from "../attach/leases.ts";
import type { Observers } from "../attach/observers.ts";
import type { PrepareParts } from "../attach/prepare.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Config } from "../config/flags.ts";
import type { Condition } from "../http/condition.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { Kernel } from "../kernel/calls.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Task } from "../lib/supervise.ts";
import type { GateParts } from "../nri/sandbox-gate.ts";
import type { ProviderSeat } from "./providers.ts";

/** Where claims come from: the kubelet and the API server, or files. */
export interface Mode extends AsyncDisposable {
  readonly conditions: () => readonly Condition[];
  readonly tasks: Readonly<Record<string, Task>>;
  /** Where nobody calls Prepare before the sandbox: what the gate asks. */
  readonly gate?: Pick<GateParts, "prepareSandbox" | "sandboxGone" | "sandboxesKnown">;
}

/** What either mode works with. */
export interface ModeParts {
  readonly config: Config;
  readonly inventory: Inventory;
  readonly store: ClaimStore;
  readonly ferry: Ferry;
  readonly leases: Leases;
  /** For a mode that tells others what becomes of devices. */
  readonly observers: Observers;
  /** The scanning Worker. */
  readonly kernel: Kernel;
  readonly providers: ProviderSeat;
  readonly sysfsRoot: string;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** With `--attach=oci`. */
  readonly runtimeMover: PrepareParts["runtimeMover"];
  /** Why no sandbox would be seen now, or `undefined`. */
  readonly runtimeProblem: () => string | undefined;
  /** The runtime does not see our CDI directory. */
  readonly receiptsUnseen: boolean;
  /** Addresses that must stay reachable from the host: the links towards them are not offered. */
  readonly routeTo: Set<string>;
}
