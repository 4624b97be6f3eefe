/**
 * Quantity and Semver as CEL values. The library knows no opaque types, so each is a message with one text field in
 * canonical form: then `==` compares by value.
 */

import type { CelFunc } from "@bufbuild/cel";
import { create, createFileRegistry, type DescMessage, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import type { CelModule } from "../config/cel.ts";
import { fromWhole, isWhole, parseQuantity, toFloat, toWhole } from "./quantity.ts";
import { compareSemver, formatSemver, normalizeSemver, parseSemver, type Semver } from "./semver.ts";

const FILE = create(FileDescriptorProtoSchema, {
  name: "kubernetes.proto",
  package: "kubernetes",
  syntax: "proto3",
  messageType: ["Quantity", "Semver"].map((name) => ({
    name,
    field: [
      { name: "text", number: 1, type: FieldDescriptorProto_Type.STRING, label: FieldDescriptorProto_Label.OPTIONAL },
    ],
  })),
});

export const registry = createFileRegistry(FILE, () => undefined);
const QUANTITY = messageType("kubernetes.Quantity");
const SEMVER = messageType("kubernetes.Semver");

/** The value of a `version` attribute. */
export function semverValue(text: string): Message {
  return asMessage(
    SEMVER,
    formatSemver(parseSemver(text) ?? fail(`${JSON.stringify(text)} is not a semantic version`)),
  );
}

/** The functions of the API server's libraries `quantity` and `semver` (apiserver pkg/cel/library). */
export function functions({ celFunc, celMethod, CelScalar, objectType }: CelModule): CelFunc[] {
  const { BOOL, INT, STRING, DOUBLE } = CelScalar;
  const quantity = objectType(QUANTITY);
  const semver = objectType(SEMVER);
  const amount = (nanos: bigint) => asMessage(QUANTITY, nanos.toString());
  const readAmount = (text: string) => parseQuantity(text) ?? fail(`${JSON.stringify(text)} is not a quantity`);
  const sum = (value: ReflectMessage, nanos: bigint) => amount(nanosOf(value) + nanos);
  return [
    celFunc("quantity", [STRING], quantity, (text) => amount(readAmount(text))),
    celFunc("isQuantity", [STRING], BOOL, (text) => parseQuantity(text) !== undefined),
    ...comparisons({ celMethod, BOOL, INT }, quantity, (left, right) => sign(nanosOf(left) - nanosOf(right))),
    celMethod("sign", quantity, [], INT, function () {
      return BigInt(sign(nanosOf(this)));
    }),
    celMethod("isInteger", quantity, [], BOOL, function () {
      return isWhole(nanosOf(this));
    }),
    celMethod("asInteger", quantity, [], INT, function () {
      return toWhole(nanosOf(this));
    }),
    celMethod("asApproximateFloat", quantity, [], DOUBLE, function () {
      return toFloat(nanosOf(this));
    }),
    celMethod("add", quantity, [quantity], quantity, function (other) {
      return sum(this, nanosOf(other));
    }),
    celMethod("add", quantity, [INT], quantity, function (other) {
      return sum(this, fromWhole(other));
    }),
    celMethod("sub", quantity, [quantity], quantity, function (other) {
      return sum(this, -nanosOf(other));
    }),
    celMethod("sub", quantity, [INT], quantity, function (other) {
      return sum(this, -fromWhole(other));
    }),

    celFunc("semver", [STRING], semver, semverValue),
    celFunc("semver", [STRING, BOOL], semver, (text, normalize) =>
      semverValue(normalize ? normalizeSemver(text) : text),
    ),
    celFunc("isSemver", [STRING], BOOL, (text) => parseSemver(text) !== undefined),
    celFunc(
      "isSemver",
      [STRING, BOOL],
      BOOL,
      (text, normalize) => parseSemver(normalize ? normalizeSemver(text) : text) !== undefined,
    ),
    ...comparisons({ celMethod, BOOL, INT }, semver, (left, right) => compareSemver(versionOf(left), versionOf(right))),
    ...(["major", "minor", "patch"] as const).map((part) =>
      celMethod(part, semver, [], INT, function () {
        return versionOf(this)[part];
      }),
    ),
  ];
}

type Scalars = CelModule["CelScalar"];

function comparisons(
  { celMethod, BOOL, INT }: Pick<CelModule, "celMethod"> & Pick<Scalars, "BOOL" | "INT">,
  type: ReturnType<CelModule["objectType"]>,
  compare: (left: ReflectMessage, right: ReflectMessage) => number,
): CelFunc[] {
  return [
    celMethod("compareTo", type, [type], INT, function (other) {
      return BigInt(sign(compare(this, other)));
    }),
    celMethod("isGreaterThan", type, [type], BOOL, function (other) {
      return compare(this, other) > 0;
    }),
    celMethod("isLessThan", type, [type], BOOL, function (other) {
      return compare(this, other) < 0;
    }),
  ];
}

function messageType(name: string): DescMessage {
  return registry.getMessage(name) ?? fail(`${name} is not in its own file`);
}

function asMessage(type: DescMessage, text: string): Message {
  const value = reflect(type);
  for (const field of type.fields) value.set(field, text);
  return value.message;
}

function textOf(value: ReflectMessage): string {
  return value.fields.map((field) => String(value.get(field))).join();
}

function nanosOf(value: ReflectMessage): bigint {
  return BigInt(textOf(value));
}

function versionOf(value: ReflectMessage): Semver {
  return parseSemver(textOf(value)) ?? fail("the version is empty");
}

function sign(value: bigint | number): number {
  return value > 0 ? 1 : value < 0 ? -1 : 0;
}

function fail(message: string): never {
  throw new Error(message);
}
