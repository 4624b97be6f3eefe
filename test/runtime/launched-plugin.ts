/** What `nri-session.test.ts` lets containerd launch: a plugin that writes its state to the file in its argument. */
import { writeFileSync } from "node:fs";
import { silentLogger } from "../../src/lib/log.ts";
import { NriSession } from "../../src/nri/session.ts";
import { launchedAddress } from "../../src/nri/socket.ts";
import { RecordingHandlers } from "../fakes/sandbox-handlers.ts";

const address = launchedAddress(process.env);
const [, , file = ""] = process.argv;
if (address === undefined) throw new Error("containerd has given no socket");
const session = new NriSession({
  address,
  pluginName: "launched",
  handlers: new RecordingHandlers(),
  log: silentLogger,
  onState: (state) => {
    if (state.synchronised) writeFileSync(file, "synchronised");
    else if (state.registered) writeFileSync(file, "registered");
  },
});
await session.ended;
writeFileSync(file, "ended");
