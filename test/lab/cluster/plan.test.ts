import { expect, test } from "bun:test";
import { planDranet, planReleases } from "./plan.ts";

const SITUATION = { releases: ["1.34", "1.37"], built: [], minutesLeft: 30, fileMinutes: 7 };

test("planReleases() builds the newest release, and no other", () => {
  expect(planReleases(SITUATION)).toEqual({
    releases: ["1.37"],
    leftOut: ["Kubernetes 1.34 is not run: its programs are not in the cache"],
  });
});

test("planReleases() takes all that are built, the newest one first", () => {
  const built = ["1.34", "1.37"];
  expect(planReleases({ ...SITUATION, built })).toEqual({ releases: ["1.37", "1.34"], leftOut: [] });
});

test("planReleases() leaves out what there is no time for", () => {
  expect(planReleases({ ...SITUATION, minutesLeft: 12 })).toEqual({
    releases: [],
    leftOut: [
      "Kubernetes 1.34 is not run: its programs are not in the cache",
      "Kubernetes 1.37 is not run: 12 minutes are left, and it wants 20 at least",
    ],
  });
  expect(planReleases({ ...SITUATION, built: ["1.37"], minutesLeft: 12 }).releases).toEqual(["1.37"]);
  expect(planReleases({ ...SITUATION, built: ["1.34", "1.37"], minutesLeft: 3 }).releases).toEqual([]);
});

test("planDranet() runs what needs DRANET last, and only where there is time to build it", () => {
  const [own, real] = [
    ["test/cluster/claims.test.ts", "test/cluster/dranet.test.ts"],
    ["test/cluster/dranet-x.test.ts"],
  ];
  const files = [...real, ...own];
  expect(planDranet(files, 4, true)).toEqual([
    { files: own, fileMinutes: 4 },
    { files: real, fileMinutes: 4 },
  ]);
  expect(planDranet(files, 4, false)[1]).toEqual({ files: real, fileMinutes: 7 });
});
