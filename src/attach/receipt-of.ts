/** What the receipt of a claim is made from: pure. */

import type { Receipt, ReceiptDevice } from "../cdi/receipt.ts";
import { networkDataOf } from "../claims/network-data.ts";
import { baseRequest, type ClaimDevice, deviceNodesOf } from "../claims/record.ts";

/**
 * `records` are all of one claim. Only when every one of its devices is there is there a receipt: it stands for the
 * whole claim.
 */
export function receiptOf(driver: string, records: readonly ClaimDevice[]): Receipt | undefined {
  const [first] = records;
  const attachment = first?.attachment;
  const isThere = (r: ClaimDevice) => r.state === "attached" && r.attachment?.sandboxId === attachment?.sandboxId;
  if (first === undefined || attachment === undefined || !records.every(isThere)) return undefined;
  const requests: Record<string, ReceiptDevice[]> = {};
  for (const record of records) {
    const { request, plan } = record;
    const deviceNodes = deviceNodesOf(record);
    const devices = requests[baseRequest(request)] ?? [];
    devices.push({
      ...(plan.ifname === undefined ? {} : { link: plan.ifname }),
      ...(deviceNodes.length === 0 ? {} : { deviceNodes }),
    });
    requests[baseRequest(request)] = devices;
  }
  return {
    driver,
    claimUid: first.claimUid,
    sandboxId: attachment.sandboxId,
    ...(attachment.netnsPath === undefined ? {} : { netnsPath: attachment.netnsPath }),
    requests,
    ...(first.alias === undefined ? {} : { alias: first.alias }),
    metadata: {
      namespace: first.claimNamespace,
      name: first.claimName,
      ...(first.podClaimName === undefined ? {} : { podClaimName: first.podClaimName }),
      devices: records.map((record) => {
        const networkData = networkDataOf(record);
        return {
          request: record.request,
          pool: record.pool,
          name: record.device,
          attributes: record.published.attributes,
          ...(networkData === undefined ? {} : { networkData }),
        };
      }),
    },
  };
}
