/**
 * Section: attach and detach of one link, netferry beside C and `ip`, in turns, so that what else the machine does hits
 * all of them alike. Runs in a network and mount namespace of its own.
 */

import { CSide } from "./c-side.ts";
import { type Figures, hand, Recorder, roundsAsked } from "./figures.ts";
import { IpSide } from "./ip-side.ts";
import { NetferrySide } from "./netferry-side.ts";
import { BenchPlace } from "./place.ts";

const WARM_UP_ROUNDS = 10;

type Way = "attach" | "detach";

async function attachFigures(rounds: number): Promise<Figures> {
  using place = new BenchPlace();
  await place.settled();
  const before = place.state();
  await using netferry = await NetferrySide.start(place);
  await using c = CSide.start(place);
  const ip = new IpSide(place);
  const recorder = new Recorder();
  const contenders = [
    async (way: Way) => {
      const { kernelMs, storeMs, receiptMs } = await netferry[way]();
      recorder.add(`${way}: netferry`, kernelMs);
      recorder.add(`${way}: netferry's store`, storeMs);
      recorder.add(`${way}: netferry's receipt`, receiptMs);
    },
    async (way: Way) => {
      const { wholeMs, moveMs } = await c[way]();
      recorder.add(`${way}: C`, wholeMs);
      recorder.add(`${way}: C, the move alone`, moveMs);
    },
    async (way: Way) => recorder.add(`${way}: ip`, ip[way]()),
  ];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    if (round === 0) recorder.clear();
    for (let turn = 0; turn < contenders.length; turn++) {
      // Each is first, second and last equally often.
      const contend = contenders[(round + WARM_UP_ROUNDS + turn) % contenders.length];
      await contend?.("attach");
      await contend?.("detach");
      const after = place.state();
      if (after !== before) throw new Error(`the link did not come home as it was:\n${before}\nbut\n${after}`);
    }
  }
  return recorder.figures;
}

await hand(await attachFigures(roundsAsked()));
