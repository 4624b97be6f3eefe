/** Numbers of character devices, by class and name: `/sys/class/misc/tun/dev` holds `10:200`. */

import { readText } from "./read.ts";

export interface CharDeviceNumbers {
  readonly major: number;
  readonly minor: number;
}

/** `undefined` where the kernel has no such device, mostly since its module is not loaded. */
export function readCharDevice(sysfsRoot: string, className: string, name: string): CharDeviceNumbers | undefined {
  const found = /^(\d+):(\d+)$/.exec(readText(`${sysfsRoot}/class/${className}/${name}/dev`) ?? "");
  return found === null ? undefined : { major: Number(found[1]), minor: Number(found[2]) };
}
