import { expect, test } from "bun:test";
import { link, snapshot } from "../claims/testing.ts";
import type { LinkPrograms } from "../kernel/calls.ts";
import { lostSentences } from "./lost.ts";

const NONE: LinkPrograms = { tcx: [], qdiscs: [], filters: [] };
const FILTER = { ifindex: 7, parent: 0xfffffff2, handle: 1, priority: 49152, protocol: 3, chain: 0, kind: "bpf" };
const HAD: LinkPrograms = {
  tcx: [
    { direction: "ingress", programId: 11, linkId: 5, name: "cil_from_netdev" },
    { direction: "egress", programId: 12, linkId: 0, name: "" },
  ],
  qdiscs: [
    { ifindex: 7, kind: "clsact", handle: 0xffff0000, parent: 0xfffffff1 },
    { ifindex: 7, kind: "fq", handle: 0x80010000, parent: 0xffffffff },
  ],
  filters: [
    { ...FILTER, name: "a.o:[tc]", programId: 20 },
    { ...FILTER, priority: 1, kind: "flower" },
  ],
};

test("lostSentences() names each thing that is not there any more", () => {
  const before = snapshot({ link: link({ xdpPrograms: { driver: 30 } }), programs: HAD });
  expect(lostSentences(before, snapshot({ programs: NONE }))).toEqual([
    "its queueing discipline clsact is gone, as a link loses it when it moves",
    "its queueing discipline fq is gone, as a link loses it when it moves",
    "its tc filters bpf a.o:[tc], flower 1 are gone, as a link loses them when it moves",
    "its TCX ingress program cil_from_netdev was detached",
    "its TCX egress program 12 was detached",
    "its XDP program 30 was detached",
  ]);
});

test("lostSentences() is silent about what is there, whatever number it has now, and about what nobody looked at", () => {
  const before = snapshot({ link: link({ xdpPrograms: { skb: 30 } }), programs: HAD });
  const again = { ...HAD, filters: HAD.filters.map((filter) => ({ ...filter, programId: 99 })) };
  expect(lostSentences(before, { ...before, programs: again })).toEqual([]);
  expect(lostSentences(snapshot(), snapshot())).toEqual([]);
});

test("lostSentences() tells the direction that a program does not run in any more", () => {
  const moved = HAD.tcx.map((program) => ({ ...program, direction: "egress" as const }));
  const before = snapshot({ programs: HAD });
  expect(lostSentences(before, snapshot({ programs: { ...HAD, tcx: moved } }))).toEqual([
    "its TCX ingress program cil_from_netdev was detached",
  ]);
});
