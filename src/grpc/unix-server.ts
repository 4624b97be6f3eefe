/** A gRPC server on a unix socket, which leaves no file behind and takes no place from a living one. */

import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";

/** `sun_path` holds 108 bytes, the last of which is NUL. */
const MAX_PATH_BYTES = 107;

export interface ServedService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export class UnixGrpcServer {
  readonly path: string;
  readonly #server: Server;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** Listens at once. Throws a sentence that names the path when somebody else serves there. */
  static async listen(path: string, services: readonly ServedService[]): Promise<UnixGrpcServer> {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES)
      throw new Error(`the socket path ${path} is longer than ${MAX_PATH_BYTES} bytes, which the kernel cannot bind`);
    await removeStaleSocket(path);
    const server = new Server();
    for (const { definition, implementation } of services) server.addService(definition, implementation);
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(new Error(`cannot listen on the unix socket ${path}`, { cause: error })),
      );
    });
    return new UnixGrpcServer(path, server);
  }

  /**
   * Takes no new calls, lets those under way finish within `graceMs`, then cuts them off. `onForce` is told before
   * that happens. The socket's file goes with the listener, at once.
   */
  async stop(graceMs: number, onForce: () => void): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        onForce();
        this.#server.forceShutdown();
        resolve();
      }, graceMs);
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** Removes what a killed process left. Throws when somebody answers there, or when it is no socket at all. */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`${path} stands in the place of our unix socket and is no socket: move it away`);
  if (await answers(path))
    throw new Error(
      `another process serves ${path}: a second agent of the same driver name runs on this node, stop it first`,
    );
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.setTimeout(2000);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // A full backlog: nobody accepts, but somebody listens.
    socket.once("timeout", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else reject(new Error(`cannot tell whether anybody serves ${path}`, { cause: error }));
    });
  });
}
