/** The service account of the pod that we run in. Source: client-go `rest.InClusterConfig`. */

import { join } from "node:path";
import { ConfigError } from "../../lib/errors.ts";
import type { Access, Credentials } from "./credentials.ts";
import { RotatingFile } from "./rotating-file.ts";

export const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface InClusterOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly directory?: string;
}

/** Throws ConfigError when we are not in a pod. */
export function inClusterCredentials(options: InClusterOptions = {}): Credentials {
  const environment = options.environment ?? process.env;
  const directory = options.directory ?? SERVICE_ACCOUNT_DIRECTORY;
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  if (host === undefined || host === "" || port === undefined || port === "")
    throw new ConfigError(
      "--kubeconfig",
      "is empty, and KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this is not a pod: " +
        "name a kubeconfig file, or run with --standalone",
    );
  const token = new RotatingFile(join(directory, "token"));
  const ca = new RotatingFile(join(directory, "ca.crt"));
  let last: Access | undefined;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    source: ca.path,
    access: async () => {
      const authorization = `Bearer ${readOr(token)}`;
      const bundle = readOr(ca);
      if (last?.headers["authorization"] !== authorization || last.tls.ca !== bundle)
        last = { headers: { authorization }, tls: { ca: bundle, rejectUnauthorized: true } };
      return last;
    },
    refresh: () => {
      token.forget();
      ca.forget();
    },
  };
}

function readOr(file: RotatingFile): string {
  try {
    return file.read();
  } catch (cause) {
    throw new ConfigError(
      "--kubeconfig",
      `is empty, and ${file.path} cannot be read: does the pod mount its service account token?`,
      { cause },
    );
  }
}
