import { expect, test } from "bun:test";
import { carrierOf, isPciAddress, isRepresentorPort, pcieRootOf } from "./device-path.ts";

const FUNCTION = "../../devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0";

test("carrierOf() finds the function below which a class device stands", () => {
  expect(carrierOf(`${FUNCTION}/net/eth0`)).toEqual({ pciAddress: "0000:3b:00.0" });
  expect(carrierOf(`${FUNCTION}/virtio2/net/eth0`)).toEqual({ pciAddress: "0000:3b:00.0" });
  expect(carrierOf(`${FUNCTION}/ice.roce.0/infiniband/irdma0`)).toEqual({ pciAddress: "0000:3b:00.0" });
});

test("carrierOf() tells a subfunction from its function", () => {
  expect(carrierOf(`${FUNCTION}/mlx5_core.sf.4/net/eth1`)).toEqual({
    pciAddress: "0000:3b:00.0",
    subfunction: "mlx5_core.sf.4",
  });
});

test("carrierOf() finds a function that Hyper-V hands through", () => {
  const vmbus = "../../devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0004:00/VMBUS:00/f8b3781b-1e82/pcif8b3:00/f8b3:00:02.0";
  expect(carrierOf(`${vmbus}/net/enP63667s1`)).toEqual({ pciAddress: "f8b3:00:02.0" });
  expect(pcieRootOf(vmbus)).toBeUndefined();
});

test("carrierOf() gives no function to USB adapters, platform devices and virtual links", () => {
  const paths = [
    "../../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/net/enx00e04c680001",
    "../../devices/platform/soc/fe300000.ethernet/net/end0",
    "../../devices/virtual/net/lo",
    "",
  ];
  expect(paths.map(carrierOf)).toEqual(paths.map(() => undefined));
});

test("pcieRootOf() gives the first element below devices, whether the path is relative or not", () => {
  expect(pcieRootOf(FUNCTION)).toBe("pci0000:3a");
  expect(pcieRootOf("/sys/devices/pci0000:3a/0000:3a:00.0")).toBe("pci0000:3a");
  expect(pcieRootOf("../../../devices/pci10000:00/10000:00:02.0")).toBeUndefined();
  expect(pcieRootOf("../../../devices/platform/x")).toBeUndefined();
});

test("isRepresentorPort() knows the ports of VFs, subfunctions and host functions, not the uplink's", () => {
  expect(["pf0vf3", "c1pf0sf2", "pf1", "c1pf0hpf"].filter((port) => !isRepresentorPort(port))).toEqual([]);
  expect(["p0", "0", "n1", "", undefined].filter(isRepresentorPort)).toEqual([]);
});

test("isPciAddress() wants the whole address", () => {
  expect(["0000:3b:00.0", "10000:e1:00.7"].every(isPciAddress)).toBe(true);
  expect(["3b:00.0", "0000:3b:00.8", "0000:3B:00.0", "x0000:3b:00.0"].some(isPciAddress)).toBe(false);
});
