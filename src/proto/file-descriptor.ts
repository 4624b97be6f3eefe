/**
 * Reads a FileDescriptorProto (google/protobuf/descriptor.proto) as far as binary messages of proto3 need it: nothing of
 * JSON names, extensions, or defaults of proto2.
 */

import { BinaryReader } from "@bufbuild/protobuf/wire";

/** How a field's value is read. A list is grown, anything else is replaced. */
type Field =
  | readonly [name: string, kind: "string" | "int32" | "bool"]
  | readonly [name: string, kind: "one" | "list", shape: () => Shape];

interface Shape {
  readonly $typeName: string;
  /** What stands where the file says nothing. */
  readonly defaults: () => Record<string, unknown>;
  readonly fields: Readonly<Record<number, Field>>;
}

/** Field numbers and names as descriptor.proto has them; what is left out here is skipped. */
const FIELD_OPTIONS: Shape = {
  $typeName: "google.protobuf.FieldOptions",
  defaults: () => ({}),
  fields: { 2: ["packed", "bool"] },
};

const FIELD: Shape = {
  $typeName: "google.protobuf.FieldDescriptorProto",
  defaults: () => ({ name: "", number: 0, label: 1, type: 0, typeName: "", jsonName: "" }),
  fields: {
    1: ["name", "string"],
    3: ["number", "int32"],
    4: ["label", "int32"],
    5: ["type", "int32"],
    6: ["typeName", "string"],
    8: ["options", "one", () => FIELD_OPTIONS],
    9: ["oneofIndex", "int32"],
    10: ["jsonName", "string"],
    17: ["proto3Optional", "bool"],
  },
};

const ENUM_VALUE: Shape = {
  $typeName: "google.protobuf.EnumValueDescriptorProto",
  defaults: () => ({ name: "", number: 0 }),
  fields: { 1: ["name", "string"], 2: ["number", "int32"] },
};

const ENUM: Shape = {
  $typeName: "google.protobuf.EnumDescriptorProto",
  defaults: () => ({ name: "", value: [] }),
  fields: { 1: ["name", "string"], 2: ["value", "list", () => ENUM_VALUE] },
};

const ONEOF: Shape = {
  $typeName: "google.protobuf.OneofDescriptorProto",
  defaults: () => ({ name: "" }),
  fields: { 1: ["name", "string"] },
};

const MESSAGE_OPTIONS: Shape = {
  $typeName: "google.protobuf.MessageOptions",
  defaults: () => ({}),
  fields: { 7: ["mapEntry", "bool"] },
};

const MESSAGE: Shape = {
  $typeName: "google.protobuf.DescriptorProto",
  defaults: () => ({ name: "", field: [], nestedType: [], enumType: [], extension: [], oneofDecl: [] }),
  fields: {
    1: ["name", "string"],
    2: ["field", "list", () => FIELD],
    3: ["nestedType", "list", () => MESSAGE],
    4: ["enumType", "list", () => ENUM],
    7: ["options", "one", () => MESSAGE_OPTIONS],
    8: ["oneofDecl", "list", () => ONEOF],
  },
};

const METHOD: Shape = {
  $typeName: "google.protobuf.MethodDescriptorProto",
  defaults: () => ({ name: "", inputType: "", outputType: "", clientStreaming: false, serverStreaming: false }),
  fields: {
    1: ["name", "string"],
    2: ["inputType", "string"],
    3: ["outputType", "string"],
    5: ["clientStreaming", "bool"],
    6: ["serverStreaming", "bool"],
  },
};

const SERVICE: Shape = {
  $typeName: "google.protobuf.ServiceDescriptorProto",
  defaults: () => ({ name: "", method: [] }),
  fields: { 1: ["name", "string"], 2: ["method", "list", () => METHOD] },
};

const FILE: Shape = {
  $typeName: "google.protobuf.FileDescriptorProto",
  defaults: () => ({ name: "", package: "", messageType: [], enumType: [], service: [], extension: [], syntax: "" }),
  fields: {
    1: ["name", "string"],
    2: ["package", "string"],
    4: ["messageType", "list", () => MESSAGE],
    5: ["enumType", "list", () => ENUM],
    6: ["service", "list", () => SERVICE],
    12: ["syntax", "string"],
  },
};

/** What createFileRegistry() reads of a file. Its dependencies are whoever calls it's to name. */
export interface FileDescriptor {
  readonly name: string;
  dependency: string[];
}

export function decodeFileDescriptor(bytes: Uint8Array): FileDescriptor {
  return decode(FILE, new BinaryReader(bytes), bytes.length) as unknown as FileDescriptor;
}

function decode({ $typeName, defaults, fields }: Shape, reader: BinaryReader, end: number): Record<string, unknown> {
  const message: Record<string, unknown> = { $typeName, ...defaults() };
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields[number];
    if (field === undefined) reader.skip(wireType, number);
    else if (field[1] === "list") (message[field[0]] as unknown[]).push(decodeNested(field[2](), reader));
    else if (field[1] === "one") message[field[0]] = decodeNested(field[2](), reader);
    else message[field[0]] = reader[field[1]]();
  }
  return message;
}

function decodeNested(shape: Shape, reader: BinaryReader): Record<string, unknown> {
  const length = reader.uint32();
  return decode(shape, reader, reader.pos + length);
}
