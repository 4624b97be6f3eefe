/** What `./dev build` stamps into an executable. Interpreted code is not a version: it says so. */

declare const NETFERRY_VERSION: string | undefined;
declare const NETFERRY_COMMIT: string | undefined;

export const version: string = typeof NETFERRY_VERSION === "undefined" ? "development" : NETFERRY_VERSION;

/** Twelve digits of the commit; with `-changed` where the tree was not what was committed. */
export const commit: string = typeof NETFERRY_COMMIT === "undefined" ? "unknown" : NETFERRY_COMMIT;
