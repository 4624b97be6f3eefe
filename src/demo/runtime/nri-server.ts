/** The runtime's end of NRI, as containerd 2.1 plays it: pod events by StateChange, 2 s for each answer. One plugin. */

import { createServer, type Server, type Socket } from "node:net";
import { PLUGIN_SERVICE, RUNTIME_SERVICE } from "../../nri/mux.ts";
import { MuxConnection } from "../../nri/mux-connection.ts";
import { type Container, Event, Plugin, type PodSandbox, Runtime } from "../../proto/gen/nri/api_pb.ts";
import type { ByteChannel } from "../../ttrpc/channel.ts";
import { TtrpcClient } from "../../ttrpc/client.ts";
import { TtrpcServer } from "../../ttrpc/server.ts";
import { ServiceRouter } from "../../ttrpc/service-router.ts";
import { Code, StatusError } from "../../ttrpc/status.ts";

const LIMIT = { timeoutMs: 2_000 };
const INTRODUCTION = { runtimeName: "netferry-demo", runtimeVersion: "v1", requestTimeout: BigInt(LIMIT.timeoutMs) };

interface Connection {
  readonly client: TtrpcClient;
  readonly socket: Socket;
  readonly events: number;
}

export class NriServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sandboxes: () => Iterable<PodSandbox>;
  readonly #sockets = new Set<Socket>();
  #plugin: Connection | undefined;
  #connected = Promise.withResolvers<void>();

  /** `sandboxes` are those that a plugin is told of when it registers. */
  constructor(path: string, sandboxes: () => Iterable<PodSandbox>) {
    this.#sandboxes = sandboxes;
    this.#server = createServer((socket) => this.#accept(socket)).listen(path);
  }

  get isConnected(): boolean {
    return this.#plugin !== undefined;
  }

  /** Resolves once a plugin is registered and synchronised. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** Without a plugin, or when it hangs up or is slow, the pod goes on without it. */
  async podEvent(event: Event, pod: PodSandbox): Promise<void> {
    await this.#ask(event, ({ client }) => client.call(Plugin.method.stateChange, { event, pod }, LIMIT));
  }

  /** Rejects with the plugin's StatusError when it refuses the container. */
  async createContainer(pod: PodSandbox, container: Container): Promise<void> {
    const { createContainer } = Plugin.method;
    await this.#ask(Event.CREATE_CONTAINER, ({ client }) => client.call(createContainer, { pod, container }, LIMIT));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #ask(event: Event, call: (plugin: Connection) => Promise<unknown>): Promise<void> {
    const plugin = this.#plugin;
    if (plugin === undefined || (plugin.events & (1 << (event - 1))) === 0) return;
    try {
      await call(plugin);
    } catch (error) {
      const isLost =
        error instanceof StatusError && [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED].some((at) => at === error.code);
      if (!isLost) throw error;
      plugin.socket.destroy();
    }
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const mux = new MuxConnection(channelOf(socket));
    const client = new TtrpcClient(mux.channel(PLUGIN_SERVICE));
    const router = new ServiceRouter().on(Runtime.method.registerPlugin, async () => {
      this.#bringUp(client, socket).catch(() => socket.destroy());
      return {};
    });
    new TtrpcServer(mux.channel(RUNTIME_SERVICE), router);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (this.#plugin?.socket !== socket) return;
      this.#plugin = undefined;
      this.#connected = Promise.withResolvers();
    });
    mux.start();
  }

  async #bringUp(client: TtrpcClient, socket: Socket): Promise<void> {
    const { events } = await client.call(Plugin.method.configure, INTRODUCTION, LIMIT);
    await client.call(Plugin.method.synchronize, { pods: [...this.#sandboxes()] }, LIMIT);
    this.#plugin = { client, socket, events };
    this.#connected.resolve();
  }
}

function channelOf(socket: Socket): ByteChannel {
  return {
    write: (bytes) => void socket.write(bytes),
    listen: (sink) => {
      socket.on("data", (chunk: Buffer) => sink.data(chunk));
      socket.on("error", () => undefined); // "close" follows
      socket.on("close", () => sink.closed(undefined));
    },
    close: () => void socket.destroy(),
  };
}
