/** A neighbour entry as RTM_NEWNEIGH describes it (linux/neighbour.h). */

export interface Neighbor {
  readonly ifindex: number;
  readonly family: "ipv4" | "ipv6";
  readonly destination: string;
  readonly address?: string;
  /** NUD_*: 0x40 NOARP, 0x80 PERMANENT. */
  readonly state: number;
  /** NTF_*: 8 PROXY, 0x80 ROUTER. */
  readonly flags: number;
}

export const NUD_PERMANENT = 0x80;
