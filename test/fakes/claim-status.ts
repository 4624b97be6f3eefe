/** Server-side apply of `status.devices`, and what the API server asks of its entries. */

import type { Stored } from "./object-store.ts";

interface Device {
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly shareID?: string;
  readonly conditions?: readonly { type?: string; status?: string; reason?: string; lastTransitionTime?: string }[];
  readonly networkData?: { interfaceName?: string; hardwareAddress?: string; ips?: readonly string[] };
}

interface Cause {
  readonly field: string;
  readonly message: string;
}

/** Entries by (driver, pool, device, shareID); what a manager leaves out of its next apply goes, if it was its own. */
export class AppliedDevices {
  readonly #owned = new Map<string, ReadonlySet<string>>();

  apply(old: Stored, applied: Stored, manager: string): Stored {
    const owner = `${old.metadata.uid} ${manager}`;
    const before = this.#owned.get(owner) ?? new Set();
    const wanted = devicesOf(applied);
    const keys = new Set(wanted.map(keyOf));
    this.#owned.set(owner, keys);
    const others = devicesOf(old).filter((device) => !keys.has(keyOf(device)) && !before.has(keyOf(device)));
    const { devices: _, ...status } = old.status ?? {};
    const devices = [...others, ...wanted];
    const metadata = { ...old.metadata, ...(applied.metadata.uid === undefined ? {} : { uid: applied.metadata.uid }) };
    return { ...old, metadata, status: devices.length === 0 ? status : { ...status, devices } };
  }
}

/** As kubernetes `pkg/apis/resource/validation` does for AllocatedDeviceStatus. */
export function validateDevices(claim: Stored): Cause[] {
  const allocation = claim.status?.["allocation"] as { devices?: { results?: readonly Device[] } } | undefined;
  const allocated = new Set((allocation?.devices?.results ?? []).map(keyOf));
  return devicesOf(claim).flatMap((device, index) => {
    const field = `status.devices[${index}]`;
    const { ips = [] } = device.networkData ?? {};
    return [
      ...(allocated.has(keyOf(device)) ? [] : [{ field, message: "must be an allocated device in the claim" }]),
      ...(device.conditions ?? []).flatMap(({ type, status, reason, lastTransitionTime }) => {
        const wrong = (name: string) => ({ field: `${field}.conditions`, message: `${type}: ${name}` });
        return [
          ...(status === "True" || status === "False" || status === "Unknown" ? [] : [wrong("status")]),
          ...(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/.test(reason ?? "") ? [] : [wrong("reason")]),
          ...(Number.isNaN(Date.parse(lastTransitionTime ?? "")) ? [wrong("lastTransitionTime")] : []),
        ];
      }),
      ...(ips.length > 16
        ? [{ field: `${field}.networkData.ips`, message: "Too many: must have at most 16 items" }]
        : []),
      ...(new Set(ips).size < ips.length ? [{ field: `${field}.networkData.ips`, message: "Duplicate value" }] : []),
    ];
  });
}

function devicesOf({ status }: Stored): readonly Device[] {
  return (status?.["devices"] as readonly Device[] | undefined) ?? [];
}

function keyOf({ driver, pool, device, shareID }: Device): string {
  return JSON.stringify([driver, pool, device, shareID ?? ""]);
}
