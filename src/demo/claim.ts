/** What a user of the demo would write: a class, a claim, and the pod that names it. */

import { FAR_NETWORK, NEIGHBOR_ADDRESS } from "./home.ts";

export const CLAIM_NAME = "fast-link";
/** By which a container says that it cannot do without the claim. */
export const CLAIM_DEVICE = `netferry.dev/claim=${CLAIM_NAME}`;
export const POD_ANNOTATIONS: Readonly<Record<string, string>> = { "netferry.dev/claims": CLAIM_NAME };

export const POD_LINK = "net1";
export const POD_ADDRESS = "192.0.2.10/24";
export const POD_MTU = 8000;

export const CLAIM_YAML = `apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: jumbo}
spec:
  selectors:
  - cel: {expression: 'device.attributes["dra.net"].mtu >= 9000'}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: ${CLAIM_NAME}}
spec:
  devices:
    requests:
    - {name: nic, exactly: {deviceClassName: jumbo}}
    config:
    - opaque:
        driver: dra.net
        parameters:
          interface: {name: ${POD_LINK}, mtu: ${POD_MTU}, addresses: [${POD_ADDRESS}]}
          routes: [{destination: ${FAR_NETWORK}, gateway: ${NEIGHBOR_ADDRESS}}]
`;
