/**
 * The kubelet's DRA service in its two versions, which differ in the share id alone.
 * Source: kubernetes/kubelet `pkg/apis/dra/{v1,v1beta1}/api.proto`. The contract is that of `DRAPlugin` in
 * k8s.io/dynamic-resource-allocation/kubeletplugin: idempotent calls, one entry for each requested UID.
 */

import { type CallContext, serviceDefinition, serviceImplementation, type UnaryHandlers } from "../grpc/service.ts";
import type { ServedService } from "../grpc/unix-server.ts";
import { DRAPlugin as DRAPluginV1 } from "../proto/gen/dra/v1/api_pb.ts";
import { DRAPlugin as DRAPluginV1beta1 } from "../proto/gen/dra/v1beta1/api_pb.ts";
import type { Answer, ClaimCalls } from "./claim-calls.ts";
import type { ClaimRef, PreparedDevice } from "./claims-service.ts";

/** As the kubelet names them at registration; it takes the first that it knows, and 1.33 knows v1beta1 only. */
export const SUPPORTED_VERSIONS: readonly string[] = ["v1.DRAPlugin", "v1beta1.DRAPlugin"];

export function draServices(calls: ClaimCalls): readonly ServedService[] {
  const v1: UnaryHandlers<typeof DRAPluginV1> = handlers(calls, (device) => ({
    ...plain(device),
    ...(device.shareId === undefined ? {} : { shareId: device.shareId }),
  }));
  const v1beta1: UnaryHandlers<typeof DRAPluginV1beta1> = handlers(calls, plain);
  return [
    { definition: serviceDefinition(DRAPluginV1), implementation: serviceImplementation(DRAPluginV1, v1) },
    {
      definition: serviceDefinition(DRAPluginV1beta1),
      implementation: serviceImplementation(DRAPluginV1beta1, v1beta1),
    },
  ];
}

interface ClaimsRequest {
  readonly claims: readonly ClaimRef[];
}

function handlers<D>(calls: ClaimCalls, encode: (device: PreparedDevice) => D) {
  return {
    nodePrepareResources: async (request: ClaimsRequest, { cancelled }: CallContext) => ({
      claims: entries(await calls.prepare(refs(request), cancelled), (devices) => ({ devices: devices.map(encode) })),
    }),
    nodeUnprepareResources: async (request: ClaimsRequest, { cancelled }: CallContext) => ({
      claims: entries(await calls.unprepare(refs(request), cancelled), () => ({})),
    }),
  };
}

function refs({ claims }: ClaimsRequest): ClaimRef[] {
  return claims.map(({ namespace, uid, name }) => ({ namespace, uid, name }));
}

function plain({ requests, pool, device, cdiDeviceIds }: PreparedDevice) {
  return { requestNames: [...requests], poolName: pool, deviceName: device, cdiDeviceIds: [...cdiDeviceIds] };
}

/** The response's map; the key is the UID. */
function entries<T, R extends object>(answers: ReadonlyMap<string, Answer<T>>, encode: (value: T) => R) {
  return Object.fromEntries(
    Array.from(answers, ([uid, answer]): [string, R | { error: string }] => [
      uid,
      "error" in answer ? answer : encode(answer.value),
    ]),
  );
}
