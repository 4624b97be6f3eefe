import { PATIENCE } from "../../fakes/patience.ts";

/** Runs a program to its end and returns what it wrote. Throws with its standard error when it fails. */
export async function command(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly limitMs?: number } = {},
): Promise<string> {
  const child = Bun.spawn([...argv], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: (options.limitMs ?? 60_000) * PATIENCE,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
  });
  const [output, complaints, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${child.signalCode ?? code}: ${complaints.trim()}`);
  return output;
}
