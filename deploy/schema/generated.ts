import { networkConfigSchema } from "./json-schema.ts";
import { referencePage } from "./reference-page.ts";

/** Path in the project → what stands there. */
export const GENERATED: Readonly<Record<string, () => string>> = {
  "deploy/schema/networkconfig.schema.json": () => `${JSON.stringify(networkConfigSchema(), null, 2)}\n`,
  "docs/networkconfig.md": referencePage,
};
