/** A kernel Worker that says it is ready, does not answer, and dies at its first call. */

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<{ kind: string }>) => {
  if (data.kind === "call") throw new Error("the Worker fell over");
  if (data.kind === "close") self.postMessage({ kind: "closed" });
};

self.postMessage({ kind: "ready" });
