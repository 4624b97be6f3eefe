/**
 * What generated code asks of protobuf-es. Its own `fileDesc` decodes a descriptor by the description of descriptors,
 * `descriptor.proto`, which then stays in memory: more than a megabyte in an agent that has been doing nothing for hours.
 */

import { createFileRegistry } from "@bufbuild/protobuf";
import type { GenFile } from "@bufbuild/protobuf/codegenv2";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { decodeFileDescriptor } from "./file-descriptor.ts";

export type { GenEnum, GenFile, GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
export { enumDesc, messageDesc, serviceDesc } from "@bufbuild/protobuf/codegenv2";

/** `base64`: a FileDescriptorProto; `imports`: what it depends on, in its order. */
export function fileDesc(base64: string, imports: readonly GenFile[] = []): GenFile {
  const proto = decodeFileDescriptor(Buffer.from(base64, "base64"));
  proto.dependency = imports.map((file) => file.proto.name);
  const registry = createFileRegistry(proto as FileDescriptorProto, (name) =>
    imports.find((file) => file.proto.name === name),
  );
  const file = registry.getFile(proto.name);
  if (file === undefined) throw new Error(`The generated descriptor of ${proto.name} describes no file.`);
  return file;
}
