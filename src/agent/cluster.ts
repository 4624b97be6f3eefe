/** The cluster mode: claims from the kubelet and the API server, devices published as ResourceSlices. */

import { DraServer } from "../dra/server.ts";
import { openKubeClient } from "../kube/client/open.ts";
import { SlicePublisher } from "../kube/publisher.ts";
import { version } from "../lib/version.ts";
import { ClusterClaims } from "./cluster-claims.ts";
import type { Mode, ModeParts } from "./mode.ts";
