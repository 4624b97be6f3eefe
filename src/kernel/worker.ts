/**
 * Entry point of a kernel Worker: a thread that does the main thread's kernel calls, one after the other, in the order
 * in which they came.
 */

import { homeNetns } from "../../ffi/netns.ts";
import { onForgottenHandle } from "../../ffi/owned.ts";
import { systemClock } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { shrinkHeap } from "../lib/heap.ts";
import { LINK_EVENTS, RDMA_EVENTS } from "../netlink/events.ts";
import type { KernelCalls } from "./calls.ts";
import { useProcRoot } from "./link-sysctls.ts";
import { type CallName, type FromWorker, type ToWorker, toPlainError } from "./messages.ts";
import { kernelCalls } from "./serve.ts";
import { watchEvents } from "./watch.ts";

declare const self: Worker;

const calls = kernelCalls();
const watching = new AbortController();
let watch: Promise<void> | undefined;

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "call") answer(data.id, data.call, data.request);
  else if (data.kind === "useProcRoot") useProcRoot(data.procRoot);
  else if (data.kind === "ping") pong();
  else if (data.kind === "watch") watch ??= startWatch();
  else if (data.kind === "shrink") shrinkHeap();
  else void close();
};

start();

function start(): void {
  try {
    onForgottenHandle((report) => post({ kind: "forgotten", report }), false);
    homeNetns();
    post({ kind: "ready" });
  } catch (error) {
    post({ kind: "unable", error: toPlainError(error) });
  }
}

function answer(id: number, call: CallName, request: unknown): void {
  try {
    faultPoint(`kernel.${call}`);
    // The main thread's types tie each request to its call.
    const serve = calls[call] as (request: unknown) => ReturnType<KernelCalls[CallName]>;
    const value = serve(request);
    post({ kind: "answer", id, ...(value === undefined ? {} : { json: JSON.stringify(value) }) });
  } catch (error) {
    post({ kind: "failure", id, error: toPlainError(error) });
  }
}

function pong(): void {
  faultPoint("kernel.ping");
  post({ kind: "pong" });
}

async function startWatch(): Promise<void> {
  try {
    await watchEvents({
      sources: [LINK_EVENTS, RDMA_EVENTS],
      clock: systemClock,
      signal: watching.signal,
      onChange: () => post({ kind: "changed" }),
      onFailure: (error) => post({ kind: "watchFailed", error: toPlainError(error) }),
    });
  } catch (error) {
    if (!watching.signal.aborted) post({ kind: "watchFailed", error: toPlainError(error) });
  }
}

async function close(): Promise<void> {
  watching.abort();
  await watch;
  calls[Symbol.dispose]();
  post({ kind: "closed" });
}

function post(message: FromWorker): void {
  self.postMessage(message);
}
