/** `./dev generate`: the published schema and its reference page. */

import { join } from "node:path";
import { GENERATED } from "./generated.ts";

const PROJECT = join(import.meta.dir, "../..");

for (const [path, content] of Object.entries(GENERATED)) await Bun.write(join(PROJECT, path), content());
