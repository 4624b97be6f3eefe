import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { PATIENCE } from "../../fakes/patience.ts";

export interface GrpcClientOptions {
  readonly authority?: string;
  /** Calls wait for a server that is away, instead of failing with UNAVAILABLE. */
  readonly waitForServer?: boolean;
}

/** A call ended with a status other than OK: `code` in gRPC's numbering, `details` in the server's words. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly details: string;

  constructor(method: string, { code, details }: ServiceError) {
    super(`${method}: ${details} (status ${code})`);
    this.code = code;
    this.details = details;
  }
}

/** Calls gRPC services on a unix socket. Rejects with RpcError. */
export class GrpcClient implements Disposable {
  readonly #client: Client;
  readonly #metadata: Metadata;

  constructor(socket: string, options: GrpcClientOptions = {}) {
    this.#metadata = new Metadata({ waitForReady: options.waitForServer === true });
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      "grpc.default_authority": options.authority ?? "localhost",
      // A runtime that restarts is back in half a second, not in the 20 s that the default may grow to.
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 200,
    });
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    limitMs = 30_000,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
        this.#metadata,
        { deadline: Date.now() + limitMs * PATIENCE },
        (error: ServiceError | null, response?: MessageShape<O>) => {
          if (error !== null) reject(new RpcError(method.name, error));
          else if (response === undefined) reject(new Error(`${method.name} was answered with nothing`));
          else resolve(response);
        },
      );
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
