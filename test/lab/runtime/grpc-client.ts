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

/** Calls gRPC services on a unix socket. Rejects with grpc-js' ServiceError (`code`, `details`). */
export class GrpcClient implements Disposable {
  readonly #client: Client;

  constructor(socket: string, authority = "localhost") {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      "grpc.default_authority": authority,
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
        new Metadata({ waitForReady: true }),
        { deadline: Date.now() + limitMs },
        (error: ServiceError | null, response?: MessageShape<O>) => {
          if (error !== null) reject(error);
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
