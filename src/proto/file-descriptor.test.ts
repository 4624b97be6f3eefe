/** protobuf-es's own decoder is the judge: of each file of ours, and of one that has all that ours have not. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type DescFile, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { fileDesc as fileDescOfLibrary } from "@bufbuild/protobuf/codegenv2";
import { FileDescriptorProtoSchema, file_google_protobuf_struct } from "@bufbuild/protobuf/wkt";
import { fileDesc } from "./codegen.ts";
import { file_google_rpc_status } from "./gen/google/rpc/status_pb.ts";

const GENERATED = join(import.meta.dir, "gen");
const IMPORTS: Readonly<Record<string, readonly [typeof file_google_rpc_status]>> = {
  "ttrpc/request_pb.ts": [file_google_rpc_status],
};

/** What create(), toBinary() and fromBinary() go by. */
function essence({ messages, enums, services }: DescFile) {
  return {
    messages: messages.map(messageEssence),
    enums: enums.map(({ typeName, open, values }) => [
      typeName,
      open,
      values.map((one) => [one.localName, one.number]),
    ]),
    services: services.map(({ typeName, methods }) => [
      typeName,
      methods.map(({ name, localName, methodKind, input, output }) => [
        ...[name, localName, methodKind, input.typeName, output.typeName],
      ]),
    ]),
  };
}

function messageEssence({ typeName, fields, oneofs, nestedMessages }: DescMessage): object {
  return {
    typeName,
    oneofs: oneofs.map(({ localName }) => localName),
    nested: nestedMessages.map(messageEssence),
    fields: fields.map((field) => JSON.parse(JSON.stringify({ ...field }, byName))),
  };
}

/** Other descriptors by their names. JSON names are not read: nobody here speaks the JSON of protobuf. */
function byName(key: string, value: unknown): unknown {
  if (key === "proto" || key === "parent" || key === "jsonName") return undefined;
  if (key === "message" || key === "enum" || key === "oneof") return (value as { name?: string } | undefined)?.name;
  return value;
}

describe("fileDesc() describes as the library does", () => {
  const names = readdirSync(GENERATED, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  test.each(names)("%s", (name) => {
    const base64 = /fileDesc\("([^"]+)"/.exec(readFileSync(join(GENERATED, name), "utf8"))?.[1] ?? "";
    const imports = [...(IMPORTS[name] ?? [])];
    expect(essence(fileDesc(base64, imports))).toEqual(essence(fileDescOfLibrary(base64, imports)));
  });

  test("a file with oneofs, nested enums and maps", () => {
    const bytes = toBinary(FileDescriptorProtoSchema, file_google_protobuf_struct.proto);
    const base64 = Buffer.from(bytes).toString("base64");
    expect(essence(fileDesc(base64))).toEqual(essence(file_google_protobuf_struct));
  });
});
