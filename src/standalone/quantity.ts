/** Kubernetes quantities (apimachinery pkg/api/resource): `1Gi`, `100m`, `1.5e3`. Exact, in units of 10⁻⁹, rounded up. */

const SCALE = 9;
const NANO = 10n ** BigInt(SCALE);
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
/** Far beyond what a quantity holds; bounds the size of the integers made here. */
const MAX_EXPONENT = 1000;

/** Billionths, or `undefined` where the text is no quantity. */
export function parseQuantity(text: string): bigint | undefined {
  const found = /^([+-]?)(\d+\.?\d*|\.\d+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?$/.exec(text);
  if (found === null) return undefined;
  const [, sign, number = "", suffix = "", exponentText = "0"] = found;
  const [whole = "", fraction = ""] = number.split(".");
  const exponent = Number(exponentText);
  if (Math.abs(exponent) > MAX_EXPONENT) return undefined;
  const digits = BigInt(whole + fraction) << (BINARY[suffix] ?? 0n);
  const power = SCALE - fraction.length + exponent + (DECIMAL[suffix] ?? 0);
  const magnitude = power >= 0 ? digits * 10n ** BigInt(power) : divideUp(digits, 10n ** BigInt(-power));
  return sign === "-" ? -magnitude : magnitude;
}

export function isWhole(nanos: bigint): boolean {
  return nanos % NANO === 0n;
}

export function toWhole(nanos: bigint): bigint {
  if (!isWhole(nanos)) throw new Error("the quantity is not an integer");
  return BigInt.asIntN(64, nanos / NANO) === nanos / NANO
    ? nanos / NANO
    : fail("the quantity does not fit into 64 bits");
}

export function fromWhole(value: bigint): bigint {
  return value * NANO;
}

export function toFloat(nanos: bigint): number {
  return Number(nanos) / Number(NANO);
}

function divideUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

function fail(message: string): never {
  throw new Error(message);
}
