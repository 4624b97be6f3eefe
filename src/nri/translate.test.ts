import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { ContainerSchema, PodSandboxSchema } from "../proto/gen/nri/api_pb.ts";
import { toContainer, toSandbox } from "./translate.ts";

test("toSandbox() has no netns path for a pod in the host's network, nor for an empty one", () => {
  const namespaces = [{ type: "pid", path: "/proc/1/ns/pid" }];
  expect(toSandbox(create(PodSandboxSchema, { id: "a", linux: { namespaces } }))).not.toHaveProperty("netnsPath");
  expect(toSandbox(create(PodSandboxSchema, { id: "a" }))).not.toHaveProperty("netnsPath");
  const empty = [{ type: "network", path: "" }];
  expect(toSandbox(create(PodSandboxSchema, { linux: { namespaces: empty } }))).not.toHaveProperty("netnsPath");
});

test("toContainer() finds CDI devices in the message and in the annotations, each once", () => {
  const container = create(ContainerSchema, {
    CDIDevices: [{ name: "v/c=1" }],
    annotations: { "cdi.k8s.io/net": "v/c=2, v/c=1", "cdi.k8s.io/empty": "", "example.com/x": "v/c=3" },
  });
  expect(toContainer(container).cdiDevices).toEqual(["v/c=1", "v/c=2"]);
});
