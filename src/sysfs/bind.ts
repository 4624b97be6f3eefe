/** Writing to PCI functions: drivers, resets, VFs (Documentation/ABI/testing/sysfs-bus-pci). These writes take their time. */

import { writeSmallFile } from "../../ffi/small-file.ts";
import { driverOf, functionDirectory } from "./function.ts";

export interface BindRequest {
  readonly address: string;
  readonly driver: string;
  /** The only driver that may bind afterwards; absent for any. */
  readonly driverOverride?: string;
  /** Resets the function while no driver holds it, when it is bound already too. */
  readonly resets: boolean;
}

/**
 * Binds the function to the driver, from whatever it is bound to. Answers why a reset failed, which keeps nothing from
 * being bound. Throws SysError when the driver is not there or refuses; the function is without a driver then.
 */
export function bindDriver(
  sysfsRoot: string,
  { address, driver, driverOverride, resets }: BindRequest,
): { readonly resetProblem?: string } {
  const directory = functionDirectory(sysfsRoot, address);
  const current = driverOf(directory);
  let resetProblem: string | undefined;
  if (current !== driver || resets) {
    if (current !== undefined) writeSmallFile(`${directory}/driver/unbind`, address);
    if (resets) resetProblem = tryReset(directory);
    // A driver that does not list the device's id takes it only when it is named here.
    writeSmallFile(`${directory}/driver_override`, `${driver}\n`);
    writeSmallFile(`${sysfsRoot}/bus/pci/drivers/${driver}/bind`, address);
  }
  writeSmallFile(`${directory}/driver_override`, `${driverOverride ?? ""}\n`);
  return resetProblem === undefined ? {} : { resetProblem };
}

function tryReset(directory: string): string | undefined {
  try {
    writeSmallFile(`${directory}/reset`, "1");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Makes the PF have this many VFs; the kernel knows no way from one number to another but by none. Throws SysError. */
export function setNumVfs(sysfsRoot: string, pf: string, from: number, to: number): void {
  const path = `${functionDirectory(sysfsRoot, pf)}/sriov_numvfs`;
  if (from === to) return;
  if (from !== 0) writeSmallFile(path, "0");
  if (to !== 0) writeSmallFile(path, String(to));
}
