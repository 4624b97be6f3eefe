import { expect, test } from "bun:test";
import { ClaimError } from "../lib/errors.ts";
import { claimNames } from "./annotation.ts";

const of = (text: string) => claimNames({ "netferry.dev/claims": text });

test("claimNames() gives each name once, in the order written", () => {
  expect(claimNames({})).toEqual([]);
  expect(of("nic")).toEqual(["nic"]);
  expect(of("b, a.x ,b")).toEqual(["b", "a.x"]);
});

test("claimNames() refuses what is no list of names", () => {
  for (const text of ["", ",", "a,", "A", "a b", "../a", "a/b", "-a", "a..b", "x".repeat(254)]) {
    expect(() => of(text)).toThrow(ClaimError);
  }
  expect(() => of("nic,Nic")).toThrow(
    'annotation netferry.dev/claims is "nic,Nic", in which "Nic" is not the name of a claim',
  );
});
