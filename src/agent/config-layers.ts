/** The configuration of each device of a claim with what stands under it: its provider's, and its profile's. */

import type { AllocatedClaim, AllocatedDevice, ConsumerPod } from "../attach/allocated.ts";
import { findPublished } from "../attach/recognise.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import { overlay } from "../config/overlay.ts";
import type { Device } from "../inventory/device.ts";
import type { Kernel } from "../kernel/calls.ts";
import { ClaimError } from "../lib/errors.ts";
import type { ProviderSeat } from "./providers.ts";

export interface LayerParts {
  readonly providers: ProviderSeat;
  readonly store: Pick<ClaimStore, "get">;
  /** The scanning Worker. */
  readonly kernel: Pick<Kernel, "listLinks" | "snapshotLink">;
  readonly findDevice: (name: string, signal: AbortSignal) => Promise<Device | undefined>;
  readonly driver: string;
}

/** Rejects with a ClaimError when a provider or profile is not to be had: the pod would lack what it was meant to have. */
export async function withLayers(
  parts: LayerParts,
  claim: AllocatedClaim,
  pod: ConsumerPod,
  signal: AbortSignal,
): Promise<AllocatedClaim> {
  const devices: AllocatedDevice[] = [];
  for (const allocated of claim.devices) {
    try {
      devices.push({ ...allocated, config: await layersOf(parts, claim, allocated, pod, signal) });
    } catch (cause) {
      signal.throwIfAborted();
      throw new ClaimError(`claim ${claim.namespace}/${claim.name}, device ${allocated.device}`, { cause });
    }
  }
  return { ...claim, devices };
}

async function layersOf(
  parts: LayerParts,
  claim: AllocatedClaim,
  allocated: AllocatedDevice,
  pod: ConsumerPod,
  signal: AbortSignal,
): Promise<NetworkConfig> {
  const { config, request, device: name } = allocated;
  if (!parts.providers.isNeeded && config.profile === undefined) return config;
  const key = { claimUid: claim.uid, request, device: name, shareId: allocated.shareId ?? "" };
  // It is in the pod already, as it was planned.
  if (parts.store.get(key)?.attachment !== undefined) return config;
  const device = await parts.findDevice(name, signal);
  if (device === undefined) return config; // refused by whoever plans it
  const providers = await parts.providers.get();
  const [{ viewOf }, { layered }] = await Promise.all([import("../providers/cloud.ts"), import("../config/layers.ts")]);
  const view = viewOf(device);
  const gateway6 = () => findGateway6(parts, device, signal);
  const ofDevice = await providers.deviceConfig(view, { gateway6, signal });
  const ofChild = await providers.childConfig(key, view, layered({ provider: ofDevice, claim: config }));
  const provider = overlay(ofDevice ?? {}, ofChild);
  const below = layered({ provider, claim: config });
  if (below.profile === undefined) return below;
  const { deviceIds } = await import("../providers/webhook.ts");
  const held = { device: deviceIds(view), claim_uid: claim.uid, config: below };
  const told = claimObject(parts.driver, claim, pod);
  const profile = await providers.profiles.get(key, held, told, signal);
  const whole = layered({ profile, provider, claim: config });
  await providers.checkRuntimeHook({ ...held, config: whole }, told, signal);
  return whole;
}

/** What a webhook is told of the claim, in the API's form, as far as it concerns this driver. */
function claimObject(driver: string, { uid, namespace, name, devices }: AllocatedClaim, pod: ConsumerPod): object {
  const results = devices.map(({ request, pool, device }) => ({ request, driver, pool, device }));
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace, uid },
    status: {
      reservedFor: [{ resource: "pods", name: pod.name, uid: pod.uid }],
      allocation: { devices: { results } },
    },
  };
}

/** By the interface's own routes: the device's name is not its link's. */
async function findGateway6(
  { kernel }: LayerParts,
  { identity }: Device,
  signal: AbortSignal,
): Promise<string | undefined> {
  const link = findPublished(identity, await kernel.listLinks({ netns: "host" }, signal));
  if (link === undefined) return undefined;
  const { ifindex } = link;
  const { routes } = await kernel.snapshotLink({ netns: "host", ifindex }, signal);
  const defaults = routes.filter(({ family, destination }) => family === "ipv6" && destination === "::/0");
  const gateways = defaults.flatMap(({ gateway, nextHops = [] }) => [
    gateway,
    ...nextHops.filter((hop) => hop.ifindex === ifindex).map((hop) => hop.gateway),
  ]);
  return gateways.find((gateway) => gateway !== undefined);
}
