/** Amazon EC2 (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html). */

import { z } from "zod";
import type { Cloud } from "./cloud.ts";
import { efaGroups } from "./efa-groups.ts";
import type { Metadata } from "./metadata.ts";
import { parseWith } from "./parse-with.ts";

const documentSchema = z.object({ instanceType: z.string() });

export async function readAws(metadata: Metadata): Promise<Cloud> {
  const path = "/latest/dynamic/instance-identity/document";
  const { instanceType } = await metadata.json(path, parseWith(documentSchema));
  return {
    attributes: ({ pciAddress, driver }) => {
      if (driver !== "efa" || pciAddress === undefined) return {};
      const groups = Object.entries(efaGroups(instanceType, pciAddress));
      return Object.fromEntries(groups.map(([name, id]) => [name, { string: id }]));
    },
  };
}
