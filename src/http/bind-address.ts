import { isIP } from "node:net";
import { ConfigError } from "../lib/errors.ts";

export interface BindAddress {
  /** Absent: all addresses of the host. */
  readonly host?: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

/** Reads Go's form of an address to listen on: `:9177`, `127.0.0.1:0`, `[::]:9177`, `localhost:9177`. */
export function parseBindAddress(text: string): BindAddress {
  const found = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port > 65535) {
    throw new ConfigError("--bind-address", `"${text}" is not host:port; write for example :9177 or [::1]:9177`);
  }
  const [, bracketed, plain] = found;
  if (bracketed !== undefined && isIP(bracketed) !== 6) {
    throw new ConfigError("--bind-address", `"${bracketed}" in "${text}" is not an IPv6 address`);
  }
  const host = bracketed ?? plain ?? "";
  return host === "" ? { port } : { host, port };
}
