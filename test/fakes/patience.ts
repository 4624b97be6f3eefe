/** By how much longer than usual a test waits: an emulated processor is slower than those that the limits were made for. */
export const PATIENCE = Number(process.env["TEST_PATIENCE"] ?? "1");
