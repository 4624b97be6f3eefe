import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, StatusError } from "./status.ts";

export interface CallContext {
  /** What the caller still waited for when it sent the request; undefined is for ever, 0 is already late. */
  readonly timeoutMs: number | undefined;
  /** Aborts when that time is over or the connection is gone: nobody will read the answer. */
  readonly signal: AbortSignal;
}

export type Handler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Promise<MessageInitShape<O>>;

type RawHandler = (payload: Uint8Array, context: CallContext) => Promise<Uint8Array>;

/** Which method is served by what. */
export class ServiceRouter {
  readonly #services = new Map<string, Map<string, RawHandler>>();

  on<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, handler: Handler<I, O>): this {
    const service = this.#services.get(method.parent.typeName) ?? new Map<string, RawHandler>();
    this.#services.set(method.parent.typeName, service);
    service.set(method.name, async (payload, context) => {
      const request = parse(method, payload);
      return toBinary(method.output, create(method.output, await handler(request, context)));
    });
    return this;
  }

  /** Throws StatusError UNIMPLEMENTED, with the words of the Go server, where nothing serves the method. */
  find(service: string, method: string): RawHandler {
    const methods = this.#services.get(service);
    if (methods === undefined) throw new StatusError(Code.UNIMPLEMENTED, `service ${service}`);
    const handler = methods.get(method);
    if (handler === undefined) throw new StatusError(Code.UNIMPLEMENTED, `method ${method}`);
    return handler;
  }
}

function parse<I extends DescMessage>(method: DescMethodUnary<I, DescMessage>, payload: Uint8Array): MessageShape<I> {
  try {
    return fromBinary(method.input, payload);
  } catch (cause) {
    throw new StatusError(Code.INVALID_ARGUMENT, `${method.name}: the request cannot be read`, { cause });
  }
}
