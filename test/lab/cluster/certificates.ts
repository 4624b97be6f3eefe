/** The keys and certificates of one cluster, made by openssl: one authority, which signs everything. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.ts";

export interface CertificateRequest {
  /** The name of the files. */
  readonly name: string;
  /** In Kubernetes the user. */
  readonly commonName: string;
  /** In Kubernetes the group. */
  readonly organization?: string;
  /** Of servers, as openssl writes them: `DNS:kubernetes`, `IP:10.0.0.1`. */
  readonly names?: readonly string[];
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const DAYS = "30";
const LIMIT_MS = 20_000;
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** The paths of a pair below `pki`. The authority is called `ca`. */
export function keyPair(pki: string, name: string): KeyPair {
  return { cert: join(pki, `${name}.crt`), key: join(pki, `${name}.key`) };
}

/** Makes the authority, a key pair for service account tokens (`service-accounts`), and the certificates asked for. */
export async function makeCertificates(pki: string, requests: readonly CertificateRequest[]): Promise<void> {
  mkdirSync(pki, { recursive: true, mode: 0o700 });
  const authority = keyPair(pki, "ca");
  const accounts = keyPair(pki, "service-accounts");
  await Promise.all([
    openssl("req", "-x509", ...files(authority), "-days", DAYS, "-subj", "/CN=netferry-lab"),
    openssl("req", "-x509", ...files(accounts), "-days", DAYS, "-subj", "/CN=service-accounts"),
  ]);
  await Promise.all(requests.map((request) => sign(pki, authority, request)));
}

async function sign(pki: string, authority: KeyPair, request: CertificateRequest): Promise<void> {
  const pair = keyPair(pki, request.name);
  const csr = join(pki, `${request.name}.csr`);
  const extensions = join(pki, `${request.name}.ext`);
  const subject = `${request.organization === undefined ? "" : `/O=${request.organization}`}/CN=${request.commonName}`;
  const names = request.names ?? [];
  const lines = ["keyUsage=digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"];
  if (names.length > 0) lines.push(`subjectAltName=${names.join(",")}`);
  writeFileSync(extensions, `${lines.join("\n")}\n`);
  await openssl("req", ...NEW_KEY, "-keyout", pair.key, "-out", csr, "-subj", subject);
  const serial = `0x${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`; // no serial file: they are signed at once
  const signer = ["-CA", authority.cert, "-CAkey", authority.key, "-set_serial", serial];
  await openssl("x509", "-req", "-in", csr, ...signer, "-days", DAYS, "-extfile", extensions, "-out", pair.cert);
}

function files(pair: KeyPair): string[] {
  return [...NEW_KEY, "-keyout", pair.key, "-out", pair.cert];
}

function openssl(...args: readonly string[]): Promise<string> {
  return run(["openssl", ...args], { limitMs: LIMIT_MS });
}
