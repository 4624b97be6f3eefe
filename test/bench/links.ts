/** Makes pairs of veth, `va<i>` and `vb<i>`, up, with an IPv4 address on the first: the kernel adds IPv6 ones to both. */
export function makePairs(from: number, to: number): void {
  const commands: string[] = ["link set lo up"];
  for (let i = from; i < to; i++)
    commands.push(
      `link add va${i} type veth peer name vb${i}`,
      `link set va${i} up`,
      `link set vb${i} up`,
      `address add 10.${Math.floor(i / 250)}.${i % 250}.1/24 dev va${i}`,
    );
  const { success, stderr } = Bun.spawnSync(["ip", "-batch", "-"], { stdin: Buffer.from(commands.join("\n")) });
  if (!success) throw new Error(`ip -batch: ${stderr.toString().trim()}`);
}
