/** Clients of the fake API server, as a pod's or an operator's files would make them. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Credentials } from "../../src/kube/client/credentials.ts";
import { KubeClient, type KubeClientOptions } from "../../src/kube/client/kube-client.ts";
import { type ApiServerOptions, FakeApiServer } from "./api-server.ts";
import { type KeyPair, TlsKit } from "./tls-kit.ts";

/** A server with its own authority, and a client that trusts exactly that one. */
export class ApiLab implements AsyncDisposable {
  readonly kit = new TlsKit();
  readonly authority: KeyPair;
  readonly serving: KeyPair;
  #server: FakeApiServer | undefined;

  constructor() {
    this.authority = this.kit.authority("authority");
    this.serving = this.kit.signed("apiserver", this.authority, "IP:127.0.0.1,DNS:kubernetes.default");
  }

  async start(options: Partial<ApiServerOptions> = {}, port = 0): Promise<FakeApiServer> {
    this.#server = await FakeApiServer.start({ serving: this.serving, ...options }, port);
    return this.#server;
  }

  credentials(server: FakeApiServer): Credentials {
    return {
      server: server.url,
      source: this.authority.certFile,
      access: async () => ({ headers: {}, tls: { ca: this.authority.cert, rejectUnauthorized: true } }),
      refresh: () => undefined,
    };
  }

  client(server: FakeApiServer, options: Partial<KubeClientOptions> = {}): KubeClient {
    return new KubeClient({ credentials: this.credentials(server), userAgent: "netferry/test", ...options });
  }

  /** Writes a kubeconfig with one context and returns its path. */
  kubeconfig(server: FakeApiServer, user: object, cluster: object = {}): string {
    const path = join(this.kit.directory, `kubeconfig-${crypto.randomUUID()}`);
    const text = stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: server.url, "certificate-authority": "authority.crt", ...cluster } }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    });
    writeFileSync(path, text);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.kit[Symbol.dispose]();
  }
}
