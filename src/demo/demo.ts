/** `netferry demo`: the whole life of a claim, in namespaces of its own. */

import type { Config } from "../config/flags.ts";
import type { CreateWorker } from "../kernel/client.ts";
import type { ContainerTask } from "./runtime/container.ts";
import { ROLE, type Role, TASK } from "./self.ts";

/** 0 when every step held, else 1. Rejects when the demo cannot even begin. */
export async function demo(_config: Config, createWorker: CreateWorker): Promise<0 | 1> {
  const role = process.env[ROLE] as Role | undefined;
  const task = () => JSON.parse(process.env[TASK] ?? "null");
  switch (role) {
    case undefined: {
      const { runEnclosed } = await import("./enclosure.ts");
      return runEnclosed();
    }
    case "stage": {
      const { runStage } = await import("./stage.ts");
      return runStage(createWorker);
    }
    case "namespace": {
      const { makeNamespace } = await import("./runtime/namespace.ts");
      makeNamespace(task());
      return 0;
    }
    case "container": {
      const [{ enterContainer }, { pingAll }] = [await import("./runtime/container.ts"), await import("./ping.ts")];
      const container: ContainerTask = task();
      enterContainer(container);
      console.log(JSON.stringify(pingAll(container.ping)));
      return 0;
    }
    default:
      throw new Error(`${ROLE}=${role} is set, which only the demo itself may do: unset it.`);
  }
}
