import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ApiLab } from "../../../test/fakes/api-client.ts";
import type { FakeApiServer } from "../../../test/fakes/api-server.ts";
import { ManualClock } from "../../../test/fakes/manual-clock.ts";
import { ConfigError } from "../../lib/errors.ts";
import type { Credentials } from "./credentials.ts";
import { inClusterCredentials } from "./in-cluster.ts";
import { KubeClient } from "./kube-client.ts";
import { KubeError } from "./kube-error.ts";
import { kubeconfigCredentials, mendKubeconfig } from "./kubeconfig.ts";
import { openKubeClient } from "./open.ts";

const NODE = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } };
const signal = new AbortController().signal;

function seed(server: FakeApiServer): void {
  server.store.add("/api/v1/nodes", NODE);
}

async function nodeName(credentials: Credentials): Promise<string | undefined> {
  const client = new KubeClient({ credentials, userAgent: "netferry/test" });
  return (await client.get<{ metadata: { name: string } }>("/api/v1/nodes/n1", { signal })).metadata.name;
}

async function failure(promise: Promise<unknown>): Promise<KubeError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof KubeError) return error;
  throw error;
}

/** A pod's service account directory, with the two-step symlinks through which the kubelet rotates it. */
function serviceAccount(lab: ApiLab, token: string): { directory: string; rotate(token: string): void } {
  const directory = join(lab.kit.directory, "serviceaccount");
  mkdirSync(directory);
  let generation = 0;
  const rotate = (next: string) => {
    const data = `..generation-${generation++}`;
    mkdirSync(join(directory, data));
    writeFileSync(join(directory, data, "token"), `${next}\n`);
    writeFileSync(join(directory, data, "ca.crt"), lab.authority.cert);
    symlinkSync(data, join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
  };
  rotate(token);
  for (const name of ["token", "ca.crt"]) symlinkSync(join("..data", name), join(directory, name));
  return { directory, rotate };
}

function podEnvironment(server: FakeApiServer): Record<string, string> {
  return { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(server.port) };
}

test("inClusterCredentials() follows the token when the kubelet rotates it", async () => {
  await using lab = new ApiLab();
  const tokens = new Set(["first"]);
  const server = await lab.start({ tokens });
  seed(server);
  const account = serviceAccount(lab, "first");
  const credentials = inClusterCredentials({ environment: podEnvironment(server), directory: account.directory });
  expect(await nodeName(credentials)).toBe("n1");
  tokens.clear();
  tokens.add("second");
  const refused = await failure(nodeName(credentials));
  expect([refused.status, refused.reason]).toEqual([401, "Unauthorized"]);
  account.rotate("second");
  expect(await nodeName(credentials)).toBe("n1");
  expect(server.seen.at(-1)?.authorization).toBe("Bearer second");
});

test("inClusterCredentials() refuses a server whose certificate another authority signed", async () => {
  await using lab = new ApiLab();
  const stranger = lab.kit.authority("stranger");
  const server = await lab.start({ serving: lab.kit.signed("impostor", stranger, "IP:127.0.0.1") });
  const { directory } = serviceAccount(lab, "secret");
  const error = await failure(nodeName(inClusterCredentials({ environment: podEnvironment(server), directory })));
  expect([error.status, error.reason]).toEqual([0, "Untrusted"]);
  expect(error.message).toContain(join(directory, "ca.crt"));
  expect(server.seen).toEqual([]);
});

test("inClusterCredentials() puts an IPv6 host in brackets", () => {
  const environment = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  expect(inClusterCredentials({ environment }).server).toBe("https://[fd00::1]:443");
});

test("inClusterCredentials() says what is missing outside of a pod", () => {
  expect(() => inClusterCredentials({ environment: {} })).toThrow("KUBERNETES_SERVICE_HOST");
});

test("a connection that trusts everything is not lent to a client that verifies", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  seed(server);
  const insecure = lab.kubeconfig(server, {}, { "certificate-authority": undefined, "insecure-skip-tls-verify": true });
  expect(await nodeName(await kubeconfigCredentials(insecure))).toBe("n1");
  lab.kit.authority("stranger");
  const wrong = lab.kubeconfig(server, {}, { "certificate-authority": "stranger.crt" });
  expect((await failure(nodeName(await kubeconfigCredentials(wrong)))).reason).toBe("Untrusted");
  const without = lab.kubeconfig(server, {}, { "certificate-authority": undefined });
  expect((await failure(nodeName(await kubeconfigCredentials(without)))).reason).toBe("Untrusted");
});

test("kubeconfigCredentials() shows the client certificate of files and of data", async () => {
  await using lab = new ApiLab();
  const server = await lab.start({ clientAuthority: lab.authority });
  seed(server);
  const client = lab.kit.signed("client", lab.authority);
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const files = lab.kubeconfig(server, { "client-certificate": "client.crt", "client-key": "client.key" });
  expect(await nodeName(await kubeconfigCredentials(files))).toBe("n1");
  const data = lab.kubeconfig(
    server,
    { "client-certificate-data": base64(client.cert), "client-key-data": base64(client.key) },
    { "certificate-authority": undefined, "certificate-authority-data": base64(lab.authority.cert) },
  );
  expect(await nodeName(await kubeconfigCredentials(data))).toBe("n1");
  const anonymous = lab.kubeconfig(server, {});
  expect((await failure(nodeName(await kubeconfigCredentials(anonymous)))).status).toBe(0);
  const stranger = lab.kit.signed("self", lab.kit.authority("stranger"));
  const foreign = lab.kubeconfig(server, { "client-certificate": stranger.certFile, "client-key": stranger.keyFile });
  expect((await failure(nodeName(await kubeconfigCredentials(foreign)))).status).toBe(0);
});

test("kubeconfigCredentials() verifies tls-server-name in place of the host", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  seed(server);
  const right = lab.kubeconfig(server, {}, { "tls-server-name": "kubernetes.default" });
  expect(await nodeName(await kubeconfigCredentials(right))).toBe("n1");
  const wrong = lab.kubeconfig(server, {}, { "tls-server-name": "other.example" });
  expect((await failure(nodeName(await kubeconfigCredentials(wrong)))).reason).toBe("Untrusted");
});

test("kubeconfigCredentials() sends a token, basic credentials, and reads tokenFile again", async () => {
  await using lab = new ApiLab();
  const tokens = new Set(["plain", "from-file", "rotated"]);
  const server = await lab.start({ tokens });
  seed(server);
  expect(await nodeName(await kubeconfigCredentials(lab.kubeconfig(server, { token: "plain" })))).toBe("n1");
  const file = join(lab.kit.directory, "token");
  writeFileSync(file, "from-file\n");
  const credentials = await kubeconfigCredentials(lab.kubeconfig(server, { tokenFile: "token" }));
  expect(await nodeName(credentials)).toBe("n1");
  expect(server.seen.at(-1)?.authorization).toBe("Bearer from-file");
  // The old token is refused: the 401 itself makes the client look into the file again, and no caller hears of it.
  tokens.delete("from-file");
  writeFileSync(file, "rotated\n");
  expect(await nodeName(credentials)).toBe("n1");
  expect(server.seen.slice(-2).map((seen) => seen.authorization)).toEqual(["Bearer from-file", "Bearer rotated"]);
  const basic = await kubeconfigCredentials(lab.kubeconfig(server, { username: "u", password: "p" }));
  await failure(nodeName(basic));
  expect(server.seen.at(-1)?.authorization).toBe(`Basic ${Buffer.from("u:p").toString("base64")}`);
});

test("kubeconfigCredentials() runs an exec plugin beside the kubeconfig, and again after a 401", async () => {
  await using lab = new ApiLab();
  const tokens = new Set(["run-1"]);
  const server = await lab.start({ tokens });
  seed(server);
  const plugin = join(lab.kit.directory, "plugin.sh");
  writeFileSync(
    plugin,
    `#!/bin/sh
test -n "$KUBERNETES_EXEC_INFO" || exit 3
echo x >> "$COUNTER"
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"run-%s"}}' "$(wc -l < "$COUNTER" | tr -d ' ')"
`,
  );
  chmodSync(plugin, 0o755);
  const env = [{ name: "COUNTER", value: join(lab.kit.directory, "counter") }];
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "./plugin.sh", env };
  const clock = new ManualClock();
  const credentials = await kubeconfigCredentials(lab.kubeconfig(server, { exec }), clock);
  expect(await nodeName(credentials)).toBe("n1");
  clock.advance(3_600_000);
  expect(await nodeName(credentials)).toBe("n1"); // a credential without an expiry holds until it is refused
  tokens.clear();
  tokens.add("run-2");
  expect(await nodeName(credentials)).toBe("n1");
});

test("kubeconfigCredentials() names the plugin's failure", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  const credentials = await kubeconfigCredentials(lab.kubeconfig(server, { exec: { command: "/nonexistent/plugin" } }));
  const error = await failure(nodeName(credentials));
  expect(error.reason).toBe("NoCredentials");
  expect(String((error.cause as Error).message)).toContain("/nonexistent/plugin");
});

test("kubeconfigCredentials() names the file when the kubeconfig is not whole", async () => {
  await using lab = new ApiLab();
  const path = join(lab.kit.directory, "bad");
  writeFileSync(path, "clusters: []\ncurrent-context: gone\n");
  expect(kubeconfigCredentials(path)).rejects.toThrow(path);
  expect(kubeconfigCredentials(join(lab.kit.directory, "absent"))).rejects.toThrow(ConfigError);
});

test("openKubeClient() reads the kubeconfig that it is given", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  const client = await openKubeClient({ kubeconfig: lab.kubeconfig(server, {}), userAgent: "netferry/test" });
  expect(client.server).toBe(server.url);
});

test("mendKubeconfig() leaves a command without a slash to the PATH", () => {
  const mended = mendKubeconfig({ users: [{ name: "u", user: { exec: { command: "aws" } } }] }, "/etc/k");
  expect(mended).toMatchObject({ users: [{ user: { exec: { command: "aws" } } }] });
});
