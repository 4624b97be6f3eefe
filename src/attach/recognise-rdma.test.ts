import { expect, test } from "bun:test";
import { findRdma } from "./recognise-rdma.ts";

const device = (name: string, nodeGuid?: string) => ({ index: 1, name, ports: [], ...(nodeGuid ? { nodeGuid } : {}) });

test("findRdma() goes by the GUID of the hardware, and where there is none by the name alone", () => {
  const guid = "0c42:a103:0065:1a2e";
  const renamed = device("rocep1s0", guid);
  expect(findRdma({ name: "mlx5_0", nodeGuid: guid }, [device("mlx5_1"), renamed])).toBe(renamed);
  for (const none of ["0000:0000:0000:0000", undefined]) {
    const wanted = { name: "mlx5_0", ...(none === undefined ? {} : { nodeGuid: none }) };
    expect(findRdma(wanted, [device("mlx5_1", none)])).toBeUndefined();
    const known = device("mlx5_0", none);
    expect(findRdma(wanted, [device("mlx5_1", none), known])).toBe(known);
  }
});
