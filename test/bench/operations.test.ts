import { expect, test } from "bun:test";
import { operationsIn } from "./operations.ts";

test("operationsIn() counts between a mark and its end, and a later mark of the same name anew", () => {
  const trace = `
7  access("/mark/C attach", F_OK) = -1 ENOENT (No such file or directory)
8  setns(3, CLONE_NEWNET) = 0
8  setns(4, CLONE_NEWNET) = 0
7  access("/mark/end", F_OK) = -1 ENOENT (No such file or directory)
8  setns(3, CLONE_NEWNET) = 0
7  access("/mark/C attach", F_OK) = -1 ENOENT (No such file or directory)
8  setns(3, CLONE_NEWNET <unfinished ...>
8  <... setns resumed>) = 0
7  access("/mark/end", F_OK) = -1 ENOENT (No such file or directory)
`;
  expect(operationsIn(trace)).toEqual({ "enter a namespace": { "C attach": 1 } });
});

test("operationsIn() names requests also where strace shows numbers, and tells dumps from single answers", () => {
  const message = (header: string) =>
    `9  sendmsg(17, {msg_iov=[{iov_base=[{nlmsg_len=40, ${header}, nlmsg_seq=1}]}]}, 0) = 40`;
  const trace = [
    `9  access("/mark/netferry detach", F_OK) = -1 ENOENT`,
    message("nlmsg_type=RTM_GETLINK, nlmsg_flags=NLM_F_REQUEST|NLM_F_ACK|NLM_F_DUMP"),
    message("nlmsg_type=0x12 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST|NLM_F_ACK|0x300"),
    message("nlmsg_type=0x12 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST|NLM_F_ACK"),
    message("nlmsg_type=RTM_NEWADDR, nlmsg_flags=NLM_F_REQUEST|NLM_F_ACK|0x500"),
    `9  openat(AT_FDCWD, "/proc/sys/net/ipv4/conf/eth0/rp_filter", O_RDONLY|O_CLOEXEC) = 3`,
    `9  openat(AT_FDCWD, "/proc/sys/net/ipv4/conf/eth0/rp_filter", O_WRONLY|O_CLOEXEC) = 3`,
    `9  openat(21, "rp_filter", O_RDONLY|O_CLOEXEC) = 22`,
    `9  openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3`,
  ].join("\n");
  const once = { "netferry detach": 1 };
  expect(operationsIn(trace)).toEqual({
    "RTM_GETLINK, all": { "netferry detach": 2 },
    RTM_GETLINK: once,
    RTM_NEWADDR: once,
    "read a sysctl": { "netferry detach": 2 },
    "write a sysctl": once,
  });
});
