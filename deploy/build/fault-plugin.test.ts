import { expect, test } from "bun:test";
import { withoutFaults } from "./fault-plugin.ts";

test("withoutFaults() removes calls that are statements, awaited or not", () => {
  const code = 'held();\n  faultPoint("attach.held");\n  await faultPoint("attach.moved");\nmoved();\n';
  expect(withoutFaults(code)).toBe("held();\n\n\nmoved();\n");
});

test("withoutFaults() leaves everything else as it is", () => {
  const code = 'import { faultPoint } from "../lib/fault.ts";\nconst fault = faultName(1) + 2;\ndefaultPoint("x");\n';
  expect(withoutFaults(code)).toBe(code);
});
