/** Runs a command of the machine; its failure is a sentence with the last lines that it wrote. */
export async function runCommand(command: readonly string[], cwd = process.cwd()): Promise<string> {
  const child = Bun.spawn([...command], { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) {
    const said = (err || out).trim().split("\n").slice(-5).join("\n");
    throw new Error(`${command.join(" ")} ended with code ${code}: ${said}`);
  }
  return out;
}
