/** Sets the stage of the demo, has the story played on it, and takes everything away again. */

import { closeSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type CreateWorker, startKernel } from "../kernel/client.ts";
import { asError, describeError } from "../lib/errors.ts";
import { silentLogger } from "../lib/log.ts";
import { AgentProcess } from "./agent-process.ts";
import { Narrator, writeOut } from "./narrator.ts";
import { Place } from "./place.ts";
import { addNamespace, removeNamespace } from "./runtime/namespace.ts";
import { DemoRuntime } from "./runtime/runtime.ts";
import { playStory, type StoryParts } from "./story.ts";

/** 0 when every step held; 1 when one did not, which has been told by then. Runs inside the demo's own namespaces. */
export async function runStage(createWorker: CreateWorker): Promise<0 | 1> {
  const narrator = new Narrator({
    write: writeOut,
    isColoured: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
  });
  process.stdout.on("error", () => undefined); // whoever wrote hears of it
  let agent: AgentProcess | undefined;
  const stopped = parentGone().catch((error: unknown) => {
    narrator.stop(asError(error));
    throw error;
  });
  stopped.catch(asError); // whoever races with it hears
  try {
    await using parts = new AsyncDisposableStack();
    const place = parts.use(new Place());
    const at = (name: string) => join(place.path, name);
    const neighborPath = at("neighbor");
    await addNamespace(neighborPath);
    parts.defer(() => removeNamespace(neighborPath));
    const kernel = parts.use(await startKernel({ createWorker, log: silentLogger }));
    const neighbor = await kernel.hook.holdNetns({ path: neighborPath });
    parts.defer(() => closeSync(neighbor.fd));
    const directories = {
      nriSocket: at("nri.sock"),
      netnsDir: at("netns"),
      cdiDir: at("cdi"),
      rootDir: at("containers"),
      claimsDir: at("claims"),
      sysfsRoot: at("sys"),
    };
    for (const directory of [directories.claimsDir, directories.sysfsRoot]) mkdirSync(directory);
    const runtime = parts.use(new DemoRuntime(directories));
    parts.defer(() => agent?.[Symbol.asyncDispose]());
    const startAgent = () => {
      agent = new AgentProcess(agentArguments(directories, at("netferry.db")));
      return agent;
    };
    const podMounts = () => place.mounts().filter((point) => point !== neighborPath);
    const story = { narrator, kernel: kernel.hook, runtime, neighbor, directories, startAgent, podMounts };
    await Promise.race([playStory(story), stopped]);
    return 0;
  } catch (error) {
    await narrator.say();
    await narrator.say(narrator.hasFailed ? "A step did not hold." : `The demo ended early: ${describeError(error)}`);
    if (narrator.hasFailed && agent !== undefined) await narrator.details(["The agent's last lines:", ...agent.tail()]);
    return 1;
  }
}

/** The sysfs is an empty one: that of the machine shows the links of the machine. */
function agentArguments(directories: StoryParts["directories"], dbPath: string): readonly string[] {
  return [
    ...["--standalone", "--claims", directories.claimsDir, "--filter="],
    ...["--nri-socket", directories.nriSocket, "--cdi-dir", directories.cdiDir, "--netns-dir", directories.netnsDir],
    ...["--db-path", dbPath, "--sysfs-root", directories.sysfsRoot],
    ...["--bind-address", "127.0.0.1:0", "--hostname-override", "demo", "--driver-name", "dra.net"],
  ];
}

/** Rejects when the process that made the demo's namespaces closes our input, or has died. */
async function parentGone(): Promise<never> {
  for await (const _ of Bun.stdin.stream());
  throw new Error("it was stopped");
}
