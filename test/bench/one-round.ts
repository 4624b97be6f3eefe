/**
 * One attach and detach each by netferry and by the C program, under strace: `operations.ts` counts what lies between
 * the marks, which are looks at files that are not there.
 */

import { existsSync } from "node:fs";
import { CSide } from "./c-side.ts";
import { NetferrySide } from "./netferry-side.ts";
import { BenchPlace } from "./place.ts";

/** The first round also learns which sysctls there are. */
const ROUNDS = 2;

using place = new BenchPlace();
await place.settled();
await using netferry = await NetferrySide.start(place);
await using c = CSide.start(place);
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, side] of [
    ["netferry", netferry],
    ["C", c],
  ] as const) {
    existsSync(`/mark/${name} attach`);
    await side.attach();
    existsSync(`/mark/${name} detach`);
    await side.detach();
    existsSync("/mark/end");
  }
}
