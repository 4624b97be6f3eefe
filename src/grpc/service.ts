/** The bridge from protobuf-es services to @grpc/grpc-js: definitions and typed handlers. Unary calls only. */

import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type MethodDefinition,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { describeError } from "../lib/errors.ts";

/** A generated service, whose methods carry their message types. */
type Service = Omit<DescService, "method"> & { readonly method: Readonly<Record<string, DescMethod>> };
type Input<S extends Service, M extends keyof S["method"]> = S["method"][M]["input"];
type Output<S extends Service, M extends keyof S["method"]> = S["method"][M]["output"];

export interface CallContext {
  /** Aborts when the client cancels, dies, or its deadline passes. */
  readonly cancelled: AbortSignal;
}

/** One function for each method of the service. What it throws becomes status INTERNAL. */
export type UnaryHandlers<S extends Service> = {
  readonly [M in keyof S["method"]]: (
    request: MessageShape<Input<S, M>>,
    context: CallContext,
  ) => Promise<MessageInitShape<Output<S, M>>>;
};

/** The service as the ServiceDefinition that @grpc/grpc-js expects. */
export function serviceDefinition(service: Service): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, methodDefinition(service, method)]));
}

/** Handlers in the callback form that `Server.addService` takes beside `serviceDefinition(service)`. */
export function serviceImplementation<S extends Service>(
  service: S,
  handlers: UnaryHandlers<S>,
): UntypedServiceImplementation {
  return Object.fromEntries(
    service.methods.map((method) => {
      const handler = handlers[method.localName as keyof S["method"]] as UntypedHandler;
      return [method.localName, unaryCall(method, handler)];
    }),
  );
}

type UntypedHandler = (request: unknown, context: CallContext) => Promise<Record<string, unknown>>;

function unaryCall(method: DescMethod, handler: UntypedHandler) {
  return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    const cancelled = new AbortController();
    call.on("cancelled", () => cancelled.abort(new DOMException("the caller hung up", "AbortError")));
    handler(call.request, { cancelled: cancelled.signal }).then(
      (response) => answer(null, create(method.output, response)),
      (error: unknown) => answer({ code: status.INTERNAL, details: describeError(error) }),
    );
  };
}

function methodDefinition(service: Service, method: DescMethod): MethodDefinition<unknown, unknown> {
  if (method.methodKind !== "unary") throw new TypeError(`${service.typeName}.${method.name} is no unary method`);
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytesOf(method.input),
    requestDeserialize: parserOf(method.input),
    responseSerialize: bytesOf(method.output),
    responseDeserialize: parserOf(method.output),
  };
}

function bytesOf(schema: DescMessage): (message: unknown) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message as MessageShape<DescMessage>);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function parserOf(schema: DescMessage): (bytes: Buffer) => unknown {
  return (bytes) => fromBinary(schema, bytes);
}
