/** The functions that ffi/ binds: their prototypes against the headers, and the bindings against the prototypes. */

import { FFIType as T } from "bun:ffi";
import { expect, test } from "bun:test";
import { LIBC_SYMBOLS } from "../../ffi/libc.ts";
import { LIBNL_SYMBOLS } from "../../ffi/libnl.ts";
import { LIBNL_ROUTE_SYMBOLS } from "../../ffi/libnl-route.ts";
import { evaluate } from "./probe.ts";

/** As the headers have them; the ellipsis of open(), openat(), fcntl() and ioctl() stands for the one argument that is passed. */
const PROTOTYPES = `
int open(const char *, int, ...);
int openat(int, const char *, int, ...);
int close(int);
int fcntl(int, int, ...);
int ioctl(int, unsigned long, ...);
ssize_t read(int, void *, size_t);
ssize_t write(int, const void *, size_t);
int setns(int, int);
ssize_t recv(int, void *, size_t, int);
int poll(struct pollfd *, nfds_t, int);
int setsockopt(int, int, int, const void *, socklen_t);
int memfd_create(const char *, unsigned int);
int madvise(void *, size_t, int);
void abort(void);
const char *nl_geterror(int);
struct nl_sock *nl_socket_alloc(void);
void nl_socket_free(struct nl_sock *);
int nl_socket_get_fd(const struct nl_sock *);
int nl_socket_set_buffer_size(struct nl_sock *, int, int);
int nl_socket_set_nonblocking(const struct nl_sock *);
int nl_socket_add_membership(struct nl_sock *, int);
int nl_connect(struct nl_sock *, int);
int nl_send_auto(struct nl_sock *, struct nl_msg *);
void nlmsg_set_default_size(size_t);
struct nl_msg *nlmsg_alloc_simple(int, int);
void nlmsg_free(struct nl_msg *);
struct nlmsghdr *nlmsg_hdr(struct nl_msg *);
int nlmsg_append(struct nl_msg *, void *, size_t, int);
int nla_put(struct nl_msg *, int, int, const void *);
struct nlattr *nla_nest_start(struct nl_msg *, int);
int nla_nest_end(struct nl_msg *, struct nlattr *);
struct nl_addr *nl_addr_build(int, const void *, size_t);
void nl_addr_set_prefixlen(struct nl_addr *, int);
void nl_addr_put(struct nl_addr *);
struct rtnl_link *rtnl_link_alloc(void);
void rtnl_link_put(struct rtnl_link *);
void rtnl_link_set_ifindex(struct rtnl_link *, int);
void rtnl_link_set_name(struct rtnl_link *, const char *);
void rtnl_link_set_addr(struct rtnl_link *, struct nl_addr *);
void rtnl_link_set_mtu(struct rtnl_link *, unsigned int);
void rtnl_link_set_txqlen(struct rtnl_link *, unsigned int);
void rtnl_link_set_group(struct rtnl_link *, uint32_t);
void rtnl_link_set_master(struct rtnl_link *, int);
void rtnl_link_set_link(struct rtnl_link *, int);
void rtnl_link_set_ns_fd(struct rtnl_link *, int);
int rtnl_link_build_add_request(struct rtnl_link *, int, struct nl_msg **);
int rtnl_link_build_change_request(struct rtnl_link *, struct rtnl_link *, int, struct nl_msg **);
int rtnl_link_build_delete_request(const struct rtnl_link *, struct nl_msg **);
struct rtnl_addr *rtnl_addr_alloc(void);
void rtnl_addr_put(struct rtnl_addr *);
void rtnl_addr_set_ifindex(struct rtnl_addr *, int);
void rtnl_addr_set_family(struct rtnl_addr *, int);
int rtnl_addr_set_local(struct rtnl_addr *, struct nl_addr *);
int rtnl_addr_set_peer(struct rtnl_addr *, struct nl_addr *);
int rtnl_addr_set_broadcast(struct rtnl_addr *, struct nl_addr *);
void rtnl_addr_set_prefixlen(struct rtnl_addr *, int);
void rtnl_addr_set_scope(struct rtnl_addr *, int);
void rtnl_addr_set_flags(struct rtnl_addr *, unsigned int);
int rtnl_addr_set_label(struct rtnl_addr *, const char *);
void rtnl_addr_set_valid_lifetime(struct rtnl_addr *, uint32_t);
void rtnl_addr_set_preferred_lifetime(struct rtnl_addr *, uint32_t);
int rtnl_addr_build_add_request(struct rtnl_addr *, int, struct nl_msg **);
int rtnl_addr_build_delete_request(struct rtnl_addr *, int, struct nl_msg **);
struct rtnl_neigh *rtnl_neigh_alloc(void);
void rtnl_neigh_put(struct rtnl_neigh *);
void rtnl_neigh_set_ifindex(struct rtnl_neigh *, int);
void rtnl_neigh_set_state(struct rtnl_neigh *, int);
void rtnl_neigh_set_flags(struct rtnl_neigh *, unsigned int);
int rtnl_neigh_set_dst(struct rtnl_neigh *, struct nl_addr *);
void rtnl_neigh_set_lladdr(struct rtnl_neigh *, struct nl_addr *);
int rtnl_neigh_build_add_request(struct rtnl_neigh *, int, struct nl_msg **);
int rtnl_neigh_build_delete_request(struct rtnl_neigh *, int, struct nl_msg **);
`;

/** The FFI type of each C type that occurs and is no pointer; sizes are those of both architectures. */
const SCALARS: Readonly<Record<string, number>> = {
  int: T.i32,
  "unsigned int": T.u32,
  uint32_t: T.u32,
  socklen_t: T.u32,
  size_t: T.u64_fast,
  "unsigned long": T.u64_fast,
  nfds_t: T.u64_fast,
  ssize_t: T.i64_fast,
  void: T.void,
};

const BOUND = { ...LIBC_SYMBOLS, ...LIBNL_SYMBOLS, ...LIBNL_ROUTE_SYMBOLS };

const prototypes = PROTOTYPES.trim()
  .split("\n")
  .map((line) => {
    const [, result = "", name = "", args = ""] = /^(.*?[ *])(\w+)\((.*)\);$/.exec(line) ?? [];
    return { result: result.trim(), name, args: args === "void" ? [] : args.split(", ") };
  });

test("the prototypes are those of the headers", () => {
  const isCompatible = ({ result, name, args }: (typeof prototypes)[number]) =>
    `__builtin_types_compatible_p(__typeof__(${name}), ${result} (${args.join(", ") || "void"}))`;
  const answers = evaluate(prototypes.map(isCompatible));
  expect(Object.entries(answers).filter(([, answer]) => answer !== 1)).toEqual([]);
});

test("the scalars have the sizes that the bindings give them", () => {
  const sizes: Readonly<Record<string, number>> = {
    "sizeof(int)": 4,
    "sizeof(unsigned int)": 4,
    "sizeof(socklen_t)": 4,
    "sizeof(size_t)": 8,
    "sizeof(unsigned long)": 8,
    "sizeof(nfds_t)": 8,
    "sizeof(ssize_t)": 8,
  };
  expect(evaluate(Object.keys(sizes))).toEqual(sizes);
});

test("every binding has the types of its prototype", () => {
  expect(Object.keys(BOUND).sort()).toEqual(prototypes.map(({ name }) => name).sort());
  const bound: Readonly<Record<string, { readonly args: readonly number[]; readonly returns: number }>> = BOUND;
  for (const { name, result, args } of prototypes) {
    const { args: boundArgs, returns } = bound[name] ?? { args: [], returns: -1 };
    expect([name, returns]).toEqual([name, result === "const char *" ? T.cstring : typeOf(result)]);
    // What an ellipsis stands for has no type to compare.
    const fixed = args.filter((arg) => arg !== "...");
    expect([name, ...boundArgs.slice(0, fixed.length)]).toEqual([name, ...fixed.map(typeOf)]);
    expect(boundArgs.length).toBe(args.length);
  }
});

function typeOf(c: string): number {
  const type = c.includes("*") ? T.ptr : SCALARS[c];
  if (type === undefined) throw new Error(`The C type ${c} has no FFI type here.`);
  return type;
}
