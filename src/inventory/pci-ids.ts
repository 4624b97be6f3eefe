/** Names of PCI vendors and devices, from the format of pci.ids (https://pci-ids.ucw.cz/, `man 5 pci.ids`). */

import { readFileSync } from "node:fs";
import { ConfigError } from "../lib/errors.ts";
import networkControllers from "./gen/pci-ids.txt" with { type: "text" };

export interface PciNames {
  /** Ids are four lower-case hex digits. `undefined` when the list does not know them. */
  vendorName(vendor: string): string | undefined;
  deviceName(vendor: string, device: string): string | undefined;
}

/** Searches the text when asked: a host has a handful of different controllers, and the list has thousands. */
export class PciIds implements PciNames {
  readonly #text: string;

  constructor(text: string) {
    this.#text = `\n${text}`;
  }

  vendorName(vendor: string): string | undefined {
    const start = this.#text.indexOf(`\n${vendor}  `);
    return start < 0 ? undefined : this.#nameAt(start + vendor.length + 3);
  }

  deviceName(vendor: string, device: string): string | undefined {
    const start = this.#text.indexOf(`\n${vendor}  `);
    if (start < 0) return undefined;
    const at = this.#text.indexOf(`\n\t${device}  `, start);
    if (at < 0) return undefined;
    // Any line between that does not begin with a tab ends the vendor's block.
    return /\n[^\t\n#]/.test(this.#text.slice(start + 1, at)) ? undefined : this.#nameAt(at + device.length + 4);
  }

  #nameAt(start: number): string {
    const end = this.#text.indexOf("\n", start);
    return this.#text.slice(start, end < 0 ? undefined : end).trim();
  }
}

/** The network controllers that pci.ids knew when this version was built. */
export const builtInPciIds: PciNames = new PciIds(networkControllers);

/** The names in the file that the environment variable PCIDB_PATH gives, else the built-in ones. Throws ConfigError. */
export function loadPciNames(path: string | undefined): PciNames {
  if (path === undefined || path === "") return builtInPciIds;
  try {
    return new PciIds(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError("PCIDB_PATH", `the PCI id list ${path} cannot be read; name a readable pci.ids or unset it`, {
      cause,
    });
  }
}
