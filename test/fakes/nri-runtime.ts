/** The runtime's side of NRI on a real unix socket: enough to register a plugin and to call it. */
import { createServer, type Server, type Socket } from "node:net";
import { PLUGIN_SERVICE, RUNTIME_SERVICE } from "../../src/nri/mux.ts";
import { MuxConnection } from "../../src/nri/mux-connection.ts";
import { Plugin, Runtime } from "../../src/proto/gen/nri/api_pb.ts";
import type { ByteChannel } from "../../src/ttrpc/channel.ts";
import { TtrpcClient } from "../../src/ttrpc/client.ts";
import { TtrpcServer } from "../../src/ttrpc/server.ts";
import { ServiceRouter } from "../../src/ttrpc/service-router.ts";
import { Code, StatusError } from "../../src/ttrpc/status.ts";

export interface RegisteredPlugin {
  readonly name: string;
  readonly index: string;
  readonly events: number;
  readonly client: TtrpcClient;
  hangUp(): void;
}

export interface NriRuntimeOptions {
  /** Calls Configure before the answer to RegisterPlugin is sent, as the Go side may. */
  readonly configureFirst?: boolean;
  /** Refuses the name. */
  readonly refuse?: boolean;
}

const TIMEOUT = { timeoutMs: 2_000 };

export class FakeNriRuntime implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #options: NriRuntimeOptions;
  readonly plugins: RegisteredPlugin[] = [];

  private constructor(options: NriRuntimeOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async listen(path: string, options: NriRuntimeOptions = {}): Promise<FakeNriRuntime> {
    const runtime = new FakeNriRuntime(options);
    await new Promise<void>((resolve, reject) => {
      runtime.#server.once("error", reject);
      runtime.#server.listen(path, resolve);
    });
    return runtime;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    const mux = new MuxConnection(channelOf(socket));
    const client = new TtrpcClient(mux.channel(PLUGIN_SERVICE));
    const router = new ServiceRouter().on(Runtime.method.registerPlugin, async ({ pluginName, pluginIdx }) => {
      if (this.#options.refuse === true) throw new StatusError(Code.UNKNOWN, "invalid plugin name");
      const synchronised = this.#bringUp(client, pluginName, pluginIdx, () => socket.destroy());
      if (this.#options.configureFirst === true) await synchronised;
      return {};
    });
    new TtrpcServer(mux.channel(RUNTIME_SERVICE), router);
    mux.start();
  }

  async #bringUp(client: TtrpcClient, name: string, index: string, hangUp: () => void): Promise<void> {
    const runtime = { runtimeName: "fake", runtimeVersion: "v1", requestTimeout: 2_000n };
    const { events } = await client.call(Plugin.method.configure, runtime, TIMEOUT);
    await client.call(Plugin.method.synchronize, { pods: [{ id: "s1", name: "web" }] }, TIMEOUT);
    this.plugins.push({ name, index, events, client, hangUp });
  }
}

function channelOf(socket: Socket): ByteChannel {
  return {
    write: (bytes) => {
      socket.write(bytes);
    },
    listen: (sink) => {
      socket.on("data", (chunk: Buffer) => sink.data(chunk));
      socket.on("error", () => undefined); // "close" follows
      socket.on("close", () => sink.closed(undefined));
    },
    close: () => {
      socket.destroy();
    },
  };
}
