/** The executable's entry: the only place that can name the Worker's file in a form that works compiled and from source. */

import { main } from "./cli/main.ts";

const createWorker = () => new Worker(new URL("./kernel/worker.ts", import.meta.url));

process.exit(await main(process.argv.slice(2), createWorker));
