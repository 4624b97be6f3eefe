/** The stand-in for the kubelet, against a driver that only writes a CDI file: a fault here is the lab's. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serviceDefinition, serviceImplementation } from "../../src/grpc/service.ts";
import { UnixGrpcServer } from "../../src/grpc/unix-server.ts";
import { DRAPlugin as DraV1 } from "../../src/proto/gen/dra/v1/api_pb.ts";
import { DRAPlugin as DraV1Beta1 } from "../../src/proto/gen/dra/v1beta1/api_pb.ts";
import { Registration } from "../../src/proto/gen/pluginregistration/v1/api_pb.ts";
import { type Containerd, startContainerd } from "../lab/runtime/containerd.ts";
import { Kubelet } from "../lab/runtime/kubelet.ts";

const LIMIT_MS = 30_000;
const CLAIM = { namespace: "default", uid: "0b7c", name: "nic" };

interface Claims {
  readonly claims: readonly { readonly uid: string; readonly name: string }[];
}

/** A driver with both versions of the service. `calls` tells what it was asked, and in which version. */
async function startDriver(rootDir: string, cdiDir: string, supportedVersions: string[]) {
  const calls: string[] = [];
  const endpoint = join(rootDir, "plugins/test.driver/dra.sock");
  mkdirSync(join(rootDir, "plugins/test.driver"), { recursive: true });
  mkdirSync(join(rootDir, "plugins_registry"), { recursive: true });
  writeFileSync(join(rootDir, "plugins_registry/not-a-socket"), "");
  const prepare = (version: string) => async (request: Claims) => {
    calls.push(`${version} prepare ${request.claims.map((claim) => claim.name).join()}`);
    const entries = request.claims.map(({ uid, name }) => {
      if (name !== "nic") return [uid, { error: `claim ${name} is unknown` }];
      const edits = { containerEdits: { env: [`CLAIM=${uid}`] } };
      const spec = { cdiVersion: "0.6.0", kind: "test.driver/claim", devices: [{ name: uid, ...edits }] };
      writeFileSync(join(cdiDir, `test-${uid}.json`), JSON.stringify(spec));
      return [uid, { devices: [{ requestNames: ["nic"], cdiDeviceIds: [`test.driver/claim=${uid}`] }] }];
    });
    return { claims: Object.fromEntries(entries) };
  };
  const unprepare = (version: string) => async (request: Claims) => {
    calls.push(`${version} unprepare ${request.claims.map((claim) => claim.name).join()}`);
    for (const { uid } of request.claims) rmSync(join(cdiDir, `test-${uid}.json`), { force: true });
    return { claims: Object.fromEntries(request.claims.map(({ uid }) => [uid, {}])) };
  };
  const handlers = (version: string) => ({
    nodePrepareResources: prepare(version),
    nodeUnprepareResources: unprepare(version),
  });
  const dra = await UnixGrpcServer.listen(endpoint, [
    { definition: serviceDefinition(DraV1), implementation: serviceImplementation(DraV1, handlers("v1")) },
    {
      definition: serviceDefinition(DraV1Beta1),
      implementation: serviceImplementation(DraV1Beta1, handlers("v1beta1")),
    },
  ]);
  const registration = await UnixGrpcServer.listen(join(rootDir, "plugins_registry/test.driver-reg.sock"), [
    {
      definition: serviceDefinition(Registration),
      implementation: serviceImplementation(Registration, {
        getInfo: async () => ({ type: "DRAPlugin", name: "test.driver", endpoint, supportedVersions }),
        notifyRegistrationStatus: async ({ pluginRegistered, error }) => {
          calls.push(`registered ${pluginRegistered} ${error}`.trim());
          return {};
        },
      }),
    },
  ]);
  const stack = new AsyncDisposableStack();
  for (const server of [dra, registration]) stack.defer(() => server.stop(0, () => undefined));
  return { calls, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("Kubelet", () => {
  let lab: Containerd;
  beforeAll(async () => {
    lab = await startContainerd({ suite: "sid" });
  }, 180_000);
  afterAll(() => lab.stop(), LIMIT_MS);

  for (const [version, known] of [
    ["v1", ["v1.DRAPlugin", "v1beta1.DRAPlugin"]],
    ["v1beta1", ["v1beta1.DRAPlugin"]],
  ] as const) {
    test(
      `startPod() and endPod() take a claim through its life in ${version}`,
      async () => {
        const rootDir = join(lab.dir, `kubelet-${version}`);
        await using driver = await startDriver(rootDir, lab.cdiDir, ["v1.DRAPlugin", "v1beta1.DRAPlugin"]);
        using kubelet = new Kubelet({ lab, rootDir, supportedVersions: known });
        expect((await kubelet.register("test.driver")).endpoint).toEndWith("dra.sock");
        const { pod, containerId } = await kubelet.startPod({ name: `pod-${version}`, claims: [CLAIM] });
        expect((await kubelet.pods.exec(containerId, "sh", "-c", "echo $CLAIM")).stdout).toBe("0b7c\n");
        await expect(kubelet.prepare({ ...CLAIM, name: "other" })).rejects.toThrow("claim other is unknown");
        await kubelet.endPod(pod, [CLAIM]);
        expect(driver.calls).toEqual([
          "registered true",
          `${version} prepare nic`,
          `${version} prepare other`,
          `${version} unprepare nic`,
        ]);
      },
      LIMIT_MS,
    );
  }

  test(
    "register() tells a driver without a common version why it is not taken",
    async () => {
      const rootDir = join(lab.dir, "kubelet-old");
      await using driver = await startDriver(rootDir, lab.cdiDir, ["v1.DRAPlugin"]);
      using kubelet = new Kubelet({ lab, rootDir, supportedVersions: ["v1beta1.DRAPlugin"] });
      await expect(kubelet.register("test.driver", 200)).rejects.toThrow("test.driver registers");
      expect(driver.calls[0]).toBe("registered false no version of DRAPlugin v1.DRAPlugin is among v1beta1.DRAPlugin");
    },
    LIMIT_MS,
  );
});
