/** Certificates for tests, made by openssl in a directory of the test's own. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export class TlsKit implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "netferry-tls-"));

  /** A certificate authority of its own. */
  authority(name: string): KeyPair {
    const [keyFile, certFile] = this.#paths(name);
    this.#openssl([
      "req",
      "-x509",
      ...NEW_KEY,
      "-keyout",
      keyFile,
      "-out",
      certFile,
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
    ]);
    return pairOf(keyFile, certFile);
  }

  /** A certificate signed by `authority`; `names` as openssl writes them: `IP:127.0.0.1,DNS:localhost`. */
  signed(name: string, authority: KeyPair, names = ""): KeyPair {
    const [keyFile, certFile] = this.#paths(name);
    const request = join(this.directory, `${name}.csr`);
    const extension = join(this.directory, `${name}.ext`);
    writeFileSync(extension, names === "" ? "" : `subjectAltName=${names}\n`);
    this.#openssl(["req", ...NEW_KEY, "-keyout", keyFile, "-out", request, "-subj", `/CN=${name}`]);
    const signer = ["-CA", authority.certFile, "-CAkey", authority.keyFile, "-CAcreateserial"];
    this.#openssl(["x509", "-req", "-in", request, ...signer, "-days", "2", "-extfile", extension, "-out", certFile]);
    return pairOf(keyFile, certFile);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #paths(name: string): [string, string] {
    return [join(this.directory, `${name}.key`), join(this.directory, `${name}.crt`)];
  }

  #openssl(args: readonly string[]): void {
    const done = Bun.spawnSync(["openssl", ...args]);
    if (done.exitCode !== 0) throw new Error(`openssl ${args.join(" ")}: ${done.stderr.toString()}`);
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function pairOf(keyFile: string, certFile: string): KeyPair {
  return { keyFile, certFile, key: readFileSync(keyFile, "utf8"), cert: readFileSync(certFile, "utf8") };
}
