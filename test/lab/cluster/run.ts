/** Programs that the lab runs to their end. */

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process' own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly limitMs: number;
}

/** Returns the standard output. Throws with the standard error when the program fails or takes longer than the limit. */
export async function run(argv: readonly string[], options: RunOptions): Promise<string> {
  const child = Bun.spawn([...argv], {
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.limitMs,
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const [output, complaints, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code === 0) return output;
  const end = child.signalCode === null ? `code ${code}` : `${child.signalCode} (limit ${options.limitMs} ms)`;
  throw new Error(`${argv.join(" ")} ended with ${end}: ${complaints.trim()}`);
}
