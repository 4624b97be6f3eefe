/** Text in columns, as kubectl prints it: two spaces between, `-` for what is empty, nothing behind the last one. */

/** The first row is the header. A control character, which the alias of a link may hold, is shown as `?`. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell === "" ? "-" : cell.replaceAll(/\p{C}/gu, "?"))));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell))).join("  ");
  return cells.map((row) => `${line(row).trimEnd()}\n`).join("");
}
