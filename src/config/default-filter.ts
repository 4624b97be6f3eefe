/** DRANET's default for `--filter`: container networks make a veth for each pod, and nobody wants to claim those. */
export const DEFAULT_FILTER = `!("dra.net/type" in attributes) || attributes["dra.net/type"].StringValue != "veth"`;
