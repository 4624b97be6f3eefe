/** What pages say of the code: sentences that it really says, tests that there are. */

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const PROJECT = join(import.meta.dir, "..");
const DOCS = join(PROJECT, "docs");
const pages = readdirSync(DOCS, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));

const read = (path: string) => readFileSync(path, "utf8");

function sources(): string {
  const files = [...new Bun.Glob("src/**/*.ts").scanSync(PROJECT)].filter((name) => !name.endsWith(".test.ts"));
  return files.map((name) => read(join(PROJECT, name))).join("\n");
}

/** Of the parts between variable ones only those that could not stand anywhere. */
const MIN_WORDS = 3;

test("every sentence of troubleshooting.md that stands for netferry's is in its code", () => {
  const code = sources();
  const quoted = [...read(join(DOCS, "troubleshooting.md")).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text ?? "");
  const parts = quoted
    .filter((text) => !FOREIGN.has(text))
    .flatMap((text) => text.split("…"))
    .map((part) => part.trim())
    .filter((part) => part.split(" ").length >= MIN_WORDS && !/^(kubectl|netferry|enable_cdi|curl)\b/.test(part));
  expect(parts.length).toBeGreaterThan(25);
  expect(parts.filter((part) => !code.includes(part))).toEqual([]);
});

/** What others say. */
const FOREIGN = new Set(["cannot allocate all claims", "device class … does not exist", "unresolvable CDI devices"]);

interface Link {
  readonly page: string;
  readonly text: string;
  readonly target: string;
}

function links(): readonly Link[] {
  return pages.flatMap((page) =>
    [...read(join(DOCS, page)).matchAll(/\[([^\]]*)\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(
      ([, text = "", target = ""]) => ({
        page,
        text,
        target,
      }),
    ),
  );
}

test("every file that a page links to is there", () => {
  const local = links().filter(({ target }) => !/^[a-z]+:/.test(target));
  expect(local.length).toBeGreaterThan(10);
  expect(local.filter(({ page, target }) => !existsSync(join(DOCS, dirname(page), target)))).toEqual([]);
});

test("every test that a page names by its title is there", () => {
  const named = links().filter(({ text, target }) => target.endsWith(".test.ts") && text !== basename(target));
  const missing = named.filter(({ page, text, target }) => !read(join(DOCS, dirname(page), target)).includes(text));
  expect(missing).toEqual([]);
});
