/** Where Debian has the libraries of this machine's architecture, and the name of glibc's loader. */
export const ARCHITECTURE =
  process.arch === "arm64"
    ? { triplet: "aarch64-linux-gnu", loader: "ld-linux-aarch64.so.1" }
    : { triplet: "x86_64-linux-gnu", loader: "ld-linux-x86-64.so.2" };
