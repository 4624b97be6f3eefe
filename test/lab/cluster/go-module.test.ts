import { expect, test } from "bun:test";
import { compareVersions, goMod, newestVersion, requiredGo, requiredVersion } from "./go-module.ts";

const UPSTREAM = `module k8s.io/kubernetes

go 1.24.0

godebug default=go1.24

require (
	k8s.io/api v0.0.0
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/client-go => ./staging/src/k8s.io/client-go
)
`;

test("goMod() names the published staging modules of the release", () => {
  const text = goMod({
    name: "example.test/lab",
    upstream: { path: "k8s.io/kubernetes", version: "v1.34.4", goMod: UPSTREAM },
    programs: ["k8s.io/kubernetes/cmd/kubelet"],
  });
  expect(text).toBe(`module example.test/lab

go 1.24.0

godebug default=go1.24

require k8s.io/kubernetes v1.34.4

tool (
	k8s.io/kubernetes/cmd/kubelet
)

replace (
	k8s.io/api => k8s.io/api v0.34.4
	k8s.io/client-go => k8s.io/client-go v0.34.4
)
`);
});

test("goMod() has no replace block when upstream has none", () => {
  const upstream = { path: "example.test/c", version: "v2.0.0", goMod: "module example.test/c\n\ngo 1.26.6\n" };
  expect(goMod({ name: "lab", upstream, programs: ["example.test/c/cmd/c"] })).not.toContain("replace");
});

test("requiredVersion() reads a line and a block", () => {
  expect(requiredVersion("require a.test/b v1.2.3\n", "a.test/b")).toBe("v1.2.3");
  expect(requiredVersion("require (\n\ta.test/b v1.2.3 // indirect\n)\n", "a.test/b")).toBe("v1.2.3");
  expect(() => requiredVersion("tool a.test/b\n", "a.test/b")).toThrow("requires no a.test/b");
});

test("requiredGo() reads the go line", () => {
  expect(requiredGo(UPSTREAM)).toBe("1.24.0");
});

test("newestVersion() takes no pre-release and compares numbers", () => {
  const versions = ["v1.34.9", "v1.34.10", "v1.35.0-rc.1", "v1.33.1"];
  expect(newestVersion(versions)).toBe("v1.34.10");
  expect(newestVersion(versions, "1.33")).toBe("v1.33.1");
  expect(newestVersion(versions, "1.35")).toBeUndefined();
  expect(compareVersions("1.26", "v1.26.0")).toBe(0);
});
