import { expect, test } from "bun:test";
import { netDevicesProblem } from "./net-devices.ts";

test("netDevicesProblem() knows the runtimes that move links, by their own version or that of their NRI", () => {
  const can = ([name, version, nriVersion]: readonly [string, string, string?]) =>
    netDevicesProblem({ name, version, ...(nriVersion === undefined ? {} : { nriVersion }) }) === undefined;
  const able = [
    ["containerd", "v2.2.1"],
    ["containerd", "2.10.0+unknown"],
    ["containerd", "v3.0.0"],
    ["cri-o", "1.35.0"],
    ["other", "0.1", "v0.12.1"],
    ["containerd", "unknown", "0.12.0"],
  ] as const;
  const unable = [
    ["containerd", "v2.2.0"],
    ["containerd", "2.1.9~ds1"],
    ["containerd", "1.7.24"],
    ["cri-o", "1.34.9"],
    ["other", "9.9.9"],
    ["containerd", ""],
    ["other", "9.9.9", "0.10.0"],
  ] as const;
  expect(able.filter((one) => !can(one))).toEqual([]);
  expect(unable.filter((one) => can(one))).toEqual([]);
});

test("netDevicesProblem() says what to do, also before the runtime is known", () => {
  expect(netDevicesProblem({ name: "containerd", version: "v2.1.9" })).toContain("run netferry with --attach=netlink");
  expect(netDevicesProblem(undefined)).toContain("not registered with the container runtime");
});
