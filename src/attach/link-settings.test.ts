import { expect, test } from "bun:test";
import { aLink } from "../../test/fakes/facts.ts";
import { ClaimError } from "../lib/errors.ts";
import { checkVfMtu } from "./link-settings.ts";

test("checkVfMtu() holds a VF to the MTU of its PF, and nobody else", () => {
  const [vf, pf] = [aLink(3, "p0v0", { mtu: 1500 }), aLink(2, "p0", { mtu: 4200 })];
  expect(() => checkVfMtu(4201, vf, pf)).toThrow(ClaimError);
  expect(() => checkVfMtu(4201, vf, pf)).toThrow("at most the MTU of its PF p0, which is 4200: raise that one first");
  checkVfMtu(4200, vf, pf);
  checkVfMtu(9000, vf, undefined);
  checkVfMtu(undefined, vf, pf);
});
