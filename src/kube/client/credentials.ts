/** Where the API server is, and how we prove who we are. */

/** TLS options of Bun's `fetch`. Two values with equal content share one connection. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name to verify instead of the URL's host. */
  readonly serverName?: string;
  /** false only where the kubeconfig says insecure-skip-tls-verify. */
  readonly rejectUnauthorized: boolean;
}

export interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  /** HTTP proxy to go through. */
  readonly proxy?: string;
}

export interface Credentials {
  /** `https://10.96.0.1:443`, without a slash at the end. */
  readonly server: string;
  /** Where the trust comes from, for error sentences: a CA file's path or a kubeconfig's. */
  readonly source: string;
  /** The access to use now; follows rotated files. */
  access(signal: AbortSignal): Promise<Access>;
  /** The server answered 401: the next access() must read everything anew. */
  refresh(): void;
}
