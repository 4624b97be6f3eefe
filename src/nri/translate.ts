/** NRI's messages in the words that the rest of netferry uses. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Container, CreateContainerResponseSchema, PodSandbox } from "../proto/gen/nri/api_pb.ts";
import type { ContainerChange, Sandbox, SandboxContainer } from "./handlers.ts";

/** The annotations by which a container may name CDI devices (CDI specification, "Kubernetes annotations"). */
const CDI_ANNOTATION_PREFIX = "cdi.k8s.io/";

export function toSandbox(pod: PodSandbox): Sandbox {
  const netns = pod.linux?.namespaces.find((namespace) => namespace.type === "network")?.path;
  return {
    id: pod.id,
    podUid: pod.uid,
    podName: pod.name,
    podNamespace: pod.namespace,
    annotations: pod.annotations,
    runtimeHandler: pod.runtimeHandler,
    ...(netns === undefined || netns === "" ? {} : { netnsPath: netns }),
  };
}

export function toContainer(container: Container): SandboxContainer {
  return {
    id: container.id,
    name: container.name,
    sandboxId: container.podSandboxId,
    env: container.env,
    cdiDevices: cdiDevicesOf(container),
    annotations: container.annotations,
    cpus: container.linux?.resources?.cpu?.cpus ?? "",
    mems: container.linux?.resources?.cpu?.mems ?? "",
  };
}

/** The answer to CreateContainer. A runtime takes what is not set as left alone. */
export function toAdjustment({
  cpus = "",
  mems = "",
  netDevices = {},
}: ContainerChange): MessageInitShape<typeof CreateContainerResponseSchema> {
  const moves = Object.entries(netDevices).map(([onHost, name]) => [onHost, { name }] as const);
  const linux = {
    ...(cpus === "" && mems === "" ? {} : { resources: { cpu: { cpus, mems } } }),
    ...(moves.length === 0 ? {} : { netDevices: Object.fromEntries(moves) }),
  };
  return Object.keys(linux).length === 0 ? {} : { adjust: { linux } };
}

function cdiDevicesOf(container: Container): string[] {
  const named = Object.entries(container.annotations)
    .filter(([key]) => key.startsWith(CDI_ANNOTATION_PREFIX))
    .flatMap(([, value]) => value.split(","))
    .map((name) => name.trim());
  return [...new Set([...container.CDIDevices.map((device) => device.name), ...named])].filter((name) => name !== "");
}
