/** NRI's messages in the words that the rest of netferry uses. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DeviceNode } from "../kernel/device-node.ts";
import type {
  Container,
  CreateContainerResponseSchema,
  LinuxDeviceSchema,
  PodSandbox,
} from "../proto/gen/nri/api_pb.ts";
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
  deviceNodes = [],
}: ContainerChange): MessageInitShape<typeof CreateContainerResponseSchema> {
  const moves = Object.entries(netDevices).map(([onHost, name]) => [onHost, { name }] as const);
  const linux = {
    ...(deviceNodes.length === 0 ? {} : { devices: deviceNodes.map(toDevice) }),
    ...(cpus === "" && mems === "" ? {} : { resources: { cpu: { cpus, mems } } }),
    ...(moves.length === 0 ? {} : { netDevices: Object.fromEntries(moves) }),
  };
  return Object.keys(linux).length === 0 ? {} : { adjust: { linux } };
}

/** Permissions have no field: the runtime allows all. */
function toDevice({ path, major, minor, mode, uid, gid }: DeviceNode): MessageInitShape<typeof LinuxDeviceSchema> {
  return {
    path,
    type: "c",
    major: BigInt(major),
    minor: BigInt(minor),
    ...(mode === undefined ? {} : { fileMode: { value: mode } }),
    ...(uid === undefined ? {} : { uid: { value: uid } }),
    ...(gid === undefined ? {} : { gid: { value: gid } }),
  };
}

function cdiDevicesOf(container: Container): string[] {
  const named = Object.entries(container.annotations)
    .filter(([key]) => key.startsWith(CDI_ANNOTATION_PREFIX))
    .flatMap(([, value]) => value.split(","))
    .map((name) => name.trim());
  return [...new Set([...container.CDIDevices.map((device) => device.name), ...named])].filter((name) => name !== "");
}
