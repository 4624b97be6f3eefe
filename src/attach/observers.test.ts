import { expect, test } from "bun:test";
import { claimDevice } from "../claims/testing.ts";
import { createLogger } from "../lib/log.ts";
import { Observers } from "./observers.ts";

test("Observers tells each observer what it cares for, also after one that throws", () => {
  const lines: string[] = [];
  const heard: string[] = [];
  const observers = new Observers(createLogger({ level: "error", write: (line) => lines.push(line) }));
  observers.add({
    attached: () => {
      throw new Error("a bug");
    },
  });
  observers.add({
    attached: ({ device }) => heard.push(`attached ${device}`),
    lost: ({ device }, reason) => heard.push(`lost ${device}: ${reason}`),
  });
  observers.attached(claimDevice({}));
  observers.cameHome(claimDevice({}), []);
  observers.lost(claimDevice({}), "gone");
  expect(heard).toEqual(["attached eth1", "lost eth1: gone"]);
  expect(lines.filter((line) => line.includes("a bug"))).toHaveLength(1);
});
