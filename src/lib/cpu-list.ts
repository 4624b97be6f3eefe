/** Sets of CPUs or memory nodes as the kernel writes them (Documentation/admin-guide/cputopology.rst): `0-3,8`. */

/** CONFIG_NR_CPUS is nowhere larger: a longer range is no list of CPUs. */
const MAX_ID = 65_535;

/** In ascending order; `undefined` for what is no such list. The empty text is the empty set. */
export function parseCpuList(text: string): readonly number[] | undefined {
  const ids = new Set<number>();
  for (const part of text.split(",").map((each) => each.trim())) {
    if (part === "") continue;
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || from > to || to > MAX_ID) return undefined;
    for (let id = from; id <= to; id++) ids.add(id);
  }
  return [...ids].sort((a, b) => a - b);
}

/** The shortest form, as the kernel prints it. `ids` ascend. */
export function formatCpuList(ids: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const id of ids) {
    const range = ranges.at(-1);
    if (range !== undefined && id === range.last + 1) range.last = id;
    else ranges.push({ first: id, last: id });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}
