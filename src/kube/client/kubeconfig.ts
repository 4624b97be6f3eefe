/**
 * A kubeconfig file, read by the library's KubeConfig: contexts, client certificates, tokens, exec plugins, OIDC.
 */

import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { parse } from "yaml";
import { z } from "zod";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { ConfigError, describeError } from "../../lib/errors.ts";
import type { Access, Credentials } from "./credentials.ts";

/** client-go reads token files again after this time, and the library's own cache holds as long. */
const REREAD_MS = 60_000;

/** What the library passes to node's https, as far as it concerns us. */
interface HttpsOptions {
  headers: Record<string, unknown>;
  ca?: Uint8Array | string;
  cert?: Uint8Array | string;
  key?: Uint8Array | string;
  servername?: string;
  rejectUnauthorized?: boolean;
  auth?: string;
}

/** Throws ConfigError when the file cannot be read, or its current context is not whole. */
export async function kubeconfigCredentials(path: string, clock: Clock = systemClock): Promise<Credentials> {
  let config = load(path);
  let last: { readonly access: Access; readonly atMs: number } | undefined;
  return {
    server: config.server,
    source: path,
    async access() {
      if (last !== undefined && clock.nowMs() - last.atMs < REREAD_MS) return last.access;
      const access = await config.access();
      last = { access, atMs: clock.nowMs() };
      return access;
    },
    refresh() {
      last = undefined;
      // A new KubeConfig also forgets the library's cached tokens of exec plugins and files.
      const before = config;
      config = {
        server: before.server,
        access: async () => {
          config = load(path);
          return config.access();
        },
      };
    },
  };
}

interface Loaded {
  readonly server: string;
  access(): Promise<Access>;
}

function load(path: string): Loaded {
  const config = new KubeConfig();
  try {
    const document = mendKubeconfig(parse(readFileSync(path, "utf8")), dirname(path));
    config.loadFromString(JSON.stringify(document));
    config.makePathsAbsolute(dirname(path));
  } catch (cause) {
    throw new ConfigError("--kubeconfig", `${path} cannot be used`, { cause });
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null || config.getCurrentUser() === null)
    throw new ConfigError(
      "--kubeconfig",
      `${path}: current-context ${JSON.stringify(config.getCurrentContext() ?? "")} names no context with a cluster and a user`,
    );
  if (cluster.proxyUrl?.startsWith("socks") === true)
    throw new ConfigError(
      "--kubeconfig",
      `${path}: proxy-url ${cluster.proxyUrl}: only http and https proxies are served`,
    );
  const proxy = cluster.proxyUrl === undefined ? {} : { proxy: cluster.proxyUrl };
  // The library refuses plain HTTP (kubectl proxy); we allow it and send no secret over it.
  if (cluster.server.startsWith("http:"))
    return {
      server: cluster.server,
      access: async () => ({ headers: {}, tls: { rejectUnauthorized: true }, ...proxy }),
    };
  return { server: cluster.server, access: async () => ({ ...(await accessOf(config, path)), ...proxy }) };
}

async function accessOf(config: KubeConfig, path: string): Promise<Access> {
  const options: HttpsOptions = { headers: {} };
  try {
    await config.applyToHTTPSOptions(options as Parameters<KubeConfig["applyToHTTPSOptions"]>[0]);
  } catch (cause) {
    throw new ConfigError("--kubeconfig", `${path}: no credentials: ${describeError(cause)}`, { cause });
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers)) headers[name.toLowerCase()] = String(value).trim();
  if (options.auth !== undefined) headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  return {
    headers,
    tls: {
      ...(options.ca === undefined ? {} : { ca: textOf(options.ca) }),
      ...(options.cert === undefined ? {} : { cert: textOf(options.cert) }),
      ...(options.key === undefined ? {} : { key: textOf(options.key) }),
      ...(options.servername === undefined ? {} : { serverName: options.servername }),
      rejectUnauthorized: options.rejectUnauthorized ?? true,
    },
  };
}

function textOf(pem: Uint8Array | string): string {
  return typeof pem === "string" ? pem : new TextDecoder().decode(pem);
}

const users = z.looseObject({
  users: z
    .array(
      z.looseObject({
        user: z
          .looseObject({
            tokenFile: z.string().optional(),
            exec: z
              .looseObject({
                apiVersion: z.string().optional(),
                command: z.string(),
                env: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
              })
              .optional(),
          })
          .nullish(),
      }),
    )
    .nullish(),
});

/**
 * What client-go does and the library (2.0.1) does not: `tokenFile` (it looks for `token-file`), plugin paths relative
 * to the kubeconfig, and KUBERNETES_EXEC_INFO, without which plugins built on client-go refuse to work.
 */
export function mendKubeconfig(document: unknown, directory: string): unknown {
  const config = users.parse(document);
  const absolute = (path: string) => (isAbsolute(path) ? path : join(directory, path));
  for (const { user } of config.users ?? []) {
    if (user?.tokenFile !== undefined)
      Object.assign(user, {
        token: undefined, // the file wins where both are given
        "auth-provider": { name: "tokenFile", config: { tokenFile: absolute(user.tokenFile) } },
      });
    const exec = user?.exec;
    if (exec === undefined) continue;
    if (exec.command.includes("/")) exec.command = absolute(exec.command);
    const info = {
      apiVersion: exec.apiVersion ?? "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      spec: { interactive: false },
    };
    exec.env = [...(exec.env ?? []), { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) }];
  }
  return config;
}
