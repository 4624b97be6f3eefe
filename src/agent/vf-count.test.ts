import { expect, test } from "bun:test";
import type { PciFunction } from "../sysfs/function.ts";
import { decideVfCount } from "./vf-count.ts";

const PF: PciFunction = { address: "0000:3b:00.0", resetMethods: [], totalVfs: 8, numVfs: 4 };
const WANTED = { pf: "ens1f0", numVFs: 2 };

function holder(identity: object) {
  return { claimNamespace: "default", claimName: "c", device: "d", published: { name: "d", identity, attributes: {} } };
}

test("decideVfCount() changes nothing when the PF has as many as it is to have, whoever has them", () => {
  expect(decideVfCount({ ...WANTED, numVFs: 4 }, PF, [holder({ pfAddress: PF.address })])).toEqual({
    kind: "asWanted",
  });
});

test("decideVfCount() waits for claims of the PF and of its VFs, and not for those of others", () => {
  const others = [holder({ pfAddress: "0000:3b:00.1" }), holder({ pciAddress: "0000:3b:00.1" }), holder({})];
  expect(decideVfCount(WANTED, PF, others)).toEqual({ kind: "change", from: 4, to: 2 });
  for (const identity of [{ pfAddress: PF.address }, { pciAddress: PF.address }])
    expect(decideVfCount(WANTED, PF, [...others, holder(identity)])).toEqual({
      kind: "refused",
      sentence:
        "the PF ens1f0 has 4 VFs and is to have 2, which has to wait: claim default/c has d, and a change of the number takes all VFs away first",
    });
});

test("decideVfCount() tells what the PF cannot do", () => {
  const sentence = (numVFs: number, pf: PciFunction | undefined) => {
    const decision = decideVfCount({ pf: "ens1f0", numVFs }, pf, []);
    return decision.kind === "refused" ? decision.sentence : decision.kind;
  };
  expect(sentence(9, PF)).toBe("the PF ens1f0 has 4 VFs and is to have 9, but it can have 8 at most");
  expect(sentence(1, { ...PF, totalVfs: 0, numVfs: 0 })).toContain("knows no SR-IOV");
  expect(sentence(1, undefined)).toBe("the PF ens1f0 is not on this node");
});
