import packageJson from "../../package.json" with { type: "json" };

/** Stamped by the build; absent when run from source. */
declare const NETFERRY_VERSION: string | undefined;
declare const NETFERRY_COMMIT: string | undefined;

export const version: string = typeof NETFERRY_VERSION === "string" ? NETFERRY_VERSION : packageJson.version;
export const commit: string = typeof NETFERRY_COMMIT === "string" ? NETFERRY_COMMIT : "source";

export function versionText(): string {
  return `netferry ${version} (${commit}), Bun ${Bun.version}, ${process.platform}-${process.arch}`;
}
