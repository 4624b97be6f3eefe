/** `routes[]` of the configuration. */

import { z } from "zod";
import { always, ipText, networkText, optional, optionalText, routingTable, sameFamily } from "./fields.ts";

export interface RouteConfig {
  /** A network, its host's bits cleared: `0.0.0.0/0`. */
  readonly destination: string;
  readonly gateway?: string;
  /** Preferred source address. */
  readonly source?: string;
  /** RT_SCOPE_*: 0 universe, 253 link; absent means universe. */
  readonly scope?: number;
  /** 0 and absent mean main. */
  readonly table?: number;
}

const UNIVERSE = 0;
const LINK = 253;

export const routeSchema = z
  .strictObject({
    destination: networkText,
    gateway: optionalText(ipText),
    source: optionalText(ipText),
    scope: optional(
      z
        .number()
        .refine((scope) => scope === UNIVERSE || scope === LINK, {
          error: ({ input }) => `${input} is neither ${UNIVERSE} (universe) nor ${LINK} (link)`,
        })
        .meta({ type: "integer", enum: [UNIVERSE, LINK] }),
    ),
    table: optional(routingTable),
  })
  .refine((route) => route.gateway !== undefined || route.scope === LINK, {
    path: ["gateway"],
    when: always,
    error: `is required, unless scope is ${LINK} (link)`,
  })
  .refine((route) => sameFamily(route.destination, route.gateway), {
    path: ["gateway"],
    when: always,
    error: "must be of the destination's family",
  })
  .refine((route) => sameFamily(route.destination, route.source), {
    path: ["source"],
    when: always,
    error: "must be of the destination's family",
  });
