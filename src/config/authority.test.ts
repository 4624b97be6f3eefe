import { expect, test } from "bun:test";
import { authorityProblems, DEFAULT_AUTHORITY, isWithin, parseClaimMaySet } from "./authority.ts";
import { formatPath } from "./zod-problems.ts";

const paths = (value: unknown, authority = DEFAULT_AUTHORITY) =>
  authorityProblems(value, authority).map(({ path }) => formatPath(path));

test("authorityProblems() leaves to classes what reaches beyond the pod", () => {
  const ethtool = { features: { gro: true }, privateFlags: { x: true }, rings: { rx: 1 }, channels: {}, coalesce: {} };
  expect(paths({ ethtool })).toEqual(["ethtool.privateFlags", "ethtool.rings", "ethtool.channels", "ethtool.coalesce"]);
  expect(authorityProblems({ ethtool: { rings: {} } }, DEFAULT_AUTHORITY)[0]?.text).toBe(
    "has an effect beyond the pod: only a DeviceClass may set it, unless netferry runs with --claim-may-set=ethtool.rings",
  );
  const claimMaySet = ["ethtool.rings", "ethtool.channels"];
  expect(paths({ ethtool }, { strictClaims: false, claimMaySet })).toEqual([
    "ethtool.privateFlags",
    "ethtool.coalesce",
  ]);
  expect(paths({ ethtool }, { strictClaims: false, claimMaySet: ["ethtool"] })).toEqual([]);
});

test("authorityProblems() lets claims say of a child what is so anyway", () => {
  const said = (macvlan: object, ipvlan: object) => paths({ interface: { macvlan, ipvlan, vlan: { id: 5 } } });
  expect(said({ mode: "bridge" }, { mode: "l2" })).toEqual(["interface.vlan"]);
  expect(said({}, {})).toEqual(["interface.vlan"]);
  expect(said({ mode: "private" }, { mode: "l3" })).toEqual([
    "interface.macvlan",
    "interface.ipvlan",
    "interface.vlan",
  ]);
});

test("authorityProblems() closes the MAC and the programs to strict claims, unless they are opened by name", () => {
  const config = { interface: { hardwareAddr: "02:00:00:00:00:01", disableEbpfPrograms: false, mtu: 1500 } };
  expect(paths(config)).toEqual([]);
  expect(paths(config, { strictClaims: true, claimMaySet: [] })).toEqual([
    "interface.hardwareAddr",
    "interface.disableEbpfPrograms",
  ]);
  expect(paths(config, { strictClaims: true, claimMaySet: ["interface.hardwareAddr"] })).toEqual([
    "interface.disableEbpfPrograms",
  ]);
  expect(paths({ interface: { hardwareAddr: null } }, { strictClaims: true, claimMaySet: [] })).toEqual([]);
  expect(paths("no object", { strictClaims: true, claimMaySet: [] })).toEqual([]);
});

test("isWithin() takes whole names only", () => {
  expect(isWithin(["ethtool.rings"], "ethtool.rings.rx")).toBe(true);
  expect(isWithin(["ethtool.ring"], "ethtool.rings")).toBe(false);
});

test("parseClaimMaySet() reads fields and sections, each once, and names what is none", () => {
  expect(parseClaimMaySet("")).toEqual([]);
  expect(parseClaimMaySet(" ethtool.rings, ethtool,vf,ethtool.rings")).toEqual(["ethtool.rings", "ethtool", "vf"]);
  expect(() => parseClaimMaySet("ethtool.ring")).toThrow(
    'holds "ethtool.ring", which is no field of the configuration (did you mean ethtool.rings?)',
  );
});
