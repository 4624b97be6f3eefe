/* What attach.c reads of a link beside rtnetlink's objects: programs, queueing disciplines, settings of the driver. */
#include <linux/bpf.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/pkt_sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of some distributions. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

static struct nl_sock *generic;
static int ethtool_family;

/* Whether the kernel has such a thing: it answers ENOENT, EINVAL or EOPNOTSUPP where there is none. */
static bool ask(struct nl_sock *socket, struct nl_msg *message, struct rows *rows, const char *what)
{
	int code = try_exchange(socket, message, rows, what);

	return code >= 0;
}

/* getQdisc() of src/netlink/tc.ts. */
static void get_qdisc(struct nl_sock *socket, int ifindex, unsigned parent)
{
	struct tcmsg header = { .tcm_ifindex = ifindex, .tcm_parent = parent };

	ask(socket, request(RTM_GETQDISC, NLM_F_ECHO, &header, sizeof(header)), NULL, "RTM_GETQDISC");
}

/* listTcx() of src/netlink/tcx.ts, in the namespace that the thread is in. Answers the number of programs. */
static unsigned list_tcx(int ifindex)
{
	static const unsigned types[] = { TCX_INGRESS, TCX_EGRESS };
	unsigned count = 0;

	for (int at = 0; at < 2; at++) {
		unsigned ids[64], links[64];
		union bpf_attr attr;

		memset(&attr, 0, sizeof(attr));
		attr.query.target_fd = ifindex;
		attr.query.attach_type = types[at];
		attr.query.prog_ids = (unsigned long)ids;
		attr.query.prog_cnt = 64;
		*(__aligned_u64 *)((char *)&attr + 40) = (unsigned long)links; /* link_ids */
		if (syscall(__NR_bpf, BPF_PROG_QUERY, &attr, 64) == 0)
			count += attr.query.prog_cnt;
	}
	return count;
}

static struct nl_msg *generic_request(int family, int command, int version)
{
	struct genlmsghdr header = { .cmd = command, .version = version };

	return request(family, 0, &header, sizeof(header));
}

/* Keeps the values of all attributes: settings by their number. */
static int on_setting(struct nl_msg *message, void *to)
{
	struct nlattr *attribute;
	struct rows *rows = to;
	int left;

	nlmsg_for_each_attr(attribute, nlmsg_hdr(message), GENL_HDRLEN, left) {
		if (rows->count == MAX_ROWS)
			break;
		memset(&rows->row[rows->count], 0, sizeof(struct row));
		rows->row[rows->count].table = nla_type(attribute);
		keep(&rows->row[rows->count++], attribute);
	}
	return NL_OK;
}

/* The family's number holds until the next boot. */
static void open_generic(void)
{
	struct nl_msg *message = generic_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	struct rows rows;

	generic = open_socket_of(NETLINK_GENERIC);
	nla_put_string(message, CTRL_ATTR_FAMILY_NAME, "ethtool");
	read_with = on_setting;
	if (ask(generic, message, &rows, "CTRL_CMD_GETFAMILY"))
		for (int at = 0; at < rows.count; at++)
			if (rows.row[at].table == CTRL_ATTR_FAMILY_ID)
				ethtool_family = *(unsigned short *)rows.row[at].address;
	read_with = on_valid;
	if (!ethtool_family)
		errx(1, "this kernel has no ethtool netlink");
}

/* readEthtool() of src/kernel/link-ethtool.ts. */
static void read_ethtool(int ifindex, struct rows groups[6])
{
	static const int commands[6] = { ETHTOOL_MSG_FEATURES_GET, ETHTOOL_MSG_PRIVFLAGS_GET, ETHTOOL_MSG_RINGS_GET,
					 ETHTOOL_MSG_CHANNELS_GET, ETHTOOL_MSG_COALESCE_GET, ETHTOOL_MSG_PAUSE_GET };

	read_with = on_setting;
	for (int at = 0; at < 6; at++) {
		struct nl_msg *message = generic_request(ethtool_family, commands[at], ETHTOOL_GENL_VERSION);
		struct nlattr *header = nla_nest_start(message, 1 | NLA_F_NESTED);

		nla_put_u32(message, ETHTOOL_A_HEADER_DEV_INDEX, ifindex);
		nla_put_u32(message, ETHTOOL_A_HEADER_FLAGS, ETHTOOL_FLAG_COMPACT_BITSETS);
		nla_nest_end(message, header);
		ask(generic, message, &groups[at], "ethtool");
	}
	read_with = on_valid;
}
