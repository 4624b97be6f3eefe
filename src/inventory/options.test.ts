import { expect, test } from "bun:test";
import { buildConfig } from "../config/flags.ts";
import { inventoryOptions } from "./options.ts";

test("inventoryOptions() has what the flags say", () => {
  const flags = {
    "driver-name": "net.example.com",
    "move-ib-interfaces": "false",
    "offer-vfio": "true",
    "feature-gates": "DRAListTypeAttributes=true",
  };
  const config = buildConfig(new Map(Object.entries(flags).map(([name, text]) => [name, [text]])));
  const { pciNames: _, ...options } = inventoryOptions(config, undefined);
  expect(options).toEqual({
    domain: "net.example.com",
    moveIbInterfaces: false,
    listAttributes: true,
    offerVfio: true,
  });
});
