import { expect, test } from "bun:test";
import { SysError } from "../../ffi/sys-error.ts";
import { ConflictError, NotSupportedError, ProtocolError } from "../lib/errors.ts";
import { fromPlainError, toPlainError } from "./messages.ts";

/** As a message between threads takes it. */
function sent(error: unknown): Error {
  return fromPlainError(structuredClone(toPlainError(error)));
}

test("a SysError arrives as one, with all its fields, its stack and its cause", () => {
  const cause = new ProtocolError("attribute 13: want 4 bytes, got 2");
  const error = new SysError("RTM_NEWLINK", 17, "link 3", "Name in use");
  error.cause = cause;
  const arrived = sent(error);
  expect(arrived).toBeInstanceOf(SysError);
  expect(arrived).toMatchObject({
    op: "RTM_NEWLINK",
    errno: 17,
    errnoName: "EEXIST",
    target: "link 3",
    kernelMessage: "Name in use",
    message: error.message,
    stack: error.stack,
  });
  expect(arrived.cause).toBeInstanceOf(ProtocolError);
});

test("the errors that callers react to arrive as what they were", () => {
  for (const error of [
    new NotSupportedError("RDMA", "a kernel with ib_core"),
    new ProtocolError("a netlink error has 3 bytes"),
    new ConflictError("the dump was interrupted"),
    new Error("something else", { cause: "a text" }),
  ]) {
    const arrived = sent(error);
    expect(arrived.constructor).toBe(error.constructor);
    expect([arrived.name, arrived.message]).toEqual([error.name, error.message]);
    if (error instanceof NotSupportedError) expect(arrived).toMatchObject({ feature: error.feature });
  }
});

test("what is thrown and is no Error arrives as one with its text", () => {
  expect(sent("just a text").message).toBe("just a text");
  expect(sent(undefined).message).toBe("undefined");
});
