import { expect, test } from "bun:test";
import { type FakeCloud, MetadataService } from "../../test/fakes/metadata-service.ts";
import type { CloudName, ProviderOptions } from "../config/providers.ts";
import { probeClouds } from "./probe.ts";

const signal = new AbortController().signal;
const CLOUDS: readonly FakeCloud[] = ["gce", "aws", "azure", "oke", "alibaba"];

/** Every cloud's questions go to this service. */
function allAt(service: MetadataService): ProviderOptions {
  return Object.fromEntries(CLOUDS.map((cloud) => [cloud, { endpoint: service.url }]));
}

test.each([
  ["gce", "GCE"],
  ["aws", "AWS"],
  ["azure", "AZURE"],
  ["oke", "OKE"],
  ["alibaba", "ALIBABA"],
] as const)("probeClouds() knows %s by its answers, among the questions of all", async (fake, name) => {
  using service = new MetadataService(fake);
  expect(await probeClouds({ options: allAt(service), others: {} }, signal)).toBe(name);
});

test("probeClouds() asks all at the same time, and none for longer than the limit", async () => {
  using service = new MetadataService("gce");
  service.isSilent = true;
  const before = performance.now();
  expect(await probeClouds({ options: allAt(service), others: {}, limitMs: 300 }, signal)).toBeUndefined();
  // The sessions of two clouds are two questions, one after the other, each within the limit.
  expect(performance.now() - before).toBeLessThan(300 * CLOUDS.length);
  expect(service.asked).toHaveLength(CLOUDS.length);
});

test("probeClouds() finds none where everything is refused, or where nobody listens", async () => {
  using service = new MetadataService("gce");
  service.refuses = 404;
  const options = allAt(service);
  service.answers.clear();
  expect(
    await probeClouds({ options: { ...options, gce: { endpoint: "http://127.0.0.1:1" } }, others: {} }, signal),
  ).toBeUndefined();
});

test("probeClouds() asks Node and webhook last, and takes their failure for a no", async () => {
  using service = new MetadataService("gce");
  service.refuses = 500;
  service.answers.clear();
  const options = { ...allAt(service), gce: { endpoint: "http://127.0.0.1:1" } };
  const yes = async () => true;
  const fails = async () => {
    throw new Error("no API server");
  };
  const probe = (others: Parameters<typeof probeClouds>[0]["others"]): Promise<CloudName | undefined> =>
    probeClouds({ options, others }, signal);
  expect(await probe({ CKS: yes, webhook: yes })).toBe("CKS");
  expect(await probe({ CKS: fails, webhook: yes })).toBe("webhook");
  expect(await probe({ CKS: fails, webhook: fails })).toBeUndefined();
});
