/* Requests of attach.c to the kernel and what it reads of the answers, by libnl. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define RTEXT_SKIP_STATS 8
#define MAX_ROWS 64

/* Descriptor of the namespace that the thread belongs to. */
static int home;

static void must(int code, const char *what)
{
	if (code < 0)
		errx(1, "%s: %s", what, nl_geterror(code));
}

static void must_sys(long result, const char *what)
{
	if (result < 0)
		err(1, "%s", what);
}

/* ---- What is read of links, addresses, routes and neighbours: the fields that netferry keeps, by value. */

struct row {
	int ifindex;
	unsigned flags, mtu, txqlen, group, table, priority;
	char ifname[IFNAMSIZ], kind[16];
	unsigned char address[32];
	int address_length;
};

struct rows {
	struct row row[MAX_ROWS];
	int count;
	bool done;
};

static void keep(struct row *row, struct nlattr *attribute)
{
	if (!attribute)
		return;
	row->address_length = nla_len(attribute) < 32 ? nla_len(attribute) : 32;
	memcpy(row->address, nla_data(attribute), row->address_length);
}

static int on_valid(struct nl_msg *message, void *to)
{
	struct rows *rows = to;
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct nlattr *at[IFLA_MAX + 1];
	struct row *row = &rows->row[rows->count];

	if (rows->count == MAX_ROWS)
		errx(1, "more than %d rows", MAX_ROWS);
	memset(row, 0, sizeof(*row));
	switch (header->nlmsg_type) {
	case RTM_NEWLINK: {
		struct ifinfomsg *link = nlmsg_data(header);
		struct nlattr *info[IFLA_INFO_MAX + 1];

		must(nlmsg_parse(header, sizeof(*link), at, IFLA_MAX, NULL), "a link");
		row->ifindex = link->ifi_index;
		row->flags = link->ifi_flags;
		nla_strlcpy(row->ifname, at[IFLA_IFNAME], IFNAMSIZ);
		row->mtu = nla_get_u32(at[IFLA_MTU]);
		row->txqlen = nla_get_u32(at[IFLA_TXQLEN]);
		row->group = nla_get_u32(at[IFLA_GROUP]);
		keep(row, at[IFLA_ADDRESS]);
		if (at[IFLA_LINKINFO]) {
			must(nla_parse_nested(info, IFLA_INFO_MAX, at[IFLA_LINKINFO], NULL), "IFLA_LINKINFO");
			nla_strlcpy(row->kind, info[IFLA_INFO_KIND], sizeof(row->kind));
		}
		break;
	}
	case RTM_NEWADDR: {
		struct ifaddrmsg *address = nlmsg_data(header);

		must(nlmsg_parse(header, sizeof(*address), at, IFA_MAX, NULL), "an address");
		row->ifindex = address->ifa_index;
		row->flags = at[IFA_FLAGS] ? nla_get_u32(at[IFA_FLAGS]) : address->ifa_flags;
		keep(row, at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS]);
		break;
	}
	case RTM_NEWROUTE: {
		must(nlmsg_parse(header, sizeof(struct rtmsg), at, RTA_MAX, NULL), "a route");
		row->table = at[RTA_TABLE] ? nla_get_u32(at[RTA_TABLE]) : 0;
		row->priority = at[RTA_PRIORITY] ? nla_get_u32(at[RTA_PRIORITY]) : 0;
		keep(row, at[RTA_DST]);
		break;
	}
	case RTM_NEWNEIGH: {
		struct ndmsg *neighbor = nlmsg_data(header);

		must(nlmsg_parse(header, sizeof(*neighbor), at, NDA_MAX, NULL), "a neighbour");
		row->ifindex = neighbor->ndm_ifindex;
		keep(row, at[NDA_DST]);
		break;
	}
	default:
		return NL_OK;
	}
	rows->count++;
	return NL_OK;
}

static int on_end(struct nl_msg *message, void *to)
{
	(void)message;
	((struct rows *)to)->done = true;
	return NL_STOP;
}

/* ---- Sockets and requests: src/netlink/socket.ts, ffi/libnl.ts. */

static struct nl_sock *open_socket_of(int protocol)
{
	struct nl_sock *socket = nl_socket_alloc();
	int on = 1;

	must(nl_connect(socket, protocol), "nl_connect");
	must(nl_socket_set_buffer_size(socket, 128 * 1024, 64 * 1024), "nl_socket_set_buffer_size");
	setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return socket;
}

/* Namespaces.withSocket() of src/kernel/namespaces.ts: opened inside, used from outside. */
static struct nl_sock *open_socket_in(int netns)
{
	struct nl_sock *socket;

	must_sys(setns(netns, CLONE_NEWNET), "setns");
	socket = open_socket_of(NETLINK_ROUTE);
	must_sys(setns(home, CLONE_NEWNET), "setns home");
	return socket;
}

/* What reads the answers. */
static int (*read_with)(struct nl_msg *, void *) = on_valid;

/* Sends and frees the message, and waits for the end of the answer. Answers a negative code of libnl for an error. */
static int try_exchange(struct nl_sock *socket, struct nl_msg *message, struct rows *rows, const char *what)
{
	static struct rows ignored;
	int code = 0;

	if (!rows)
		rows = &ignored;
	rows->count = 0;
	rows->done = false;
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, read_with, rows);
	nl_socket_modify_cb(socket, NL_CB_FINISH, NL_CB_CUSTOM, on_end, rows);
	nl_socket_modify_cb(socket, NL_CB_ACK, NL_CB_CUSTOM, on_end, rows);
	must(nl_send_auto(socket, message), what);
	while (!rows->done && code >= 0)
		code = nl_recvmsgs_default(socket);
	nlmsg_free(message);
	return code;
}

static void exchange(struct nl_sock *socket, struct nl_msg *message, struct rows *rows, const char *what)
{
	must(try_exchange(socket, message, rows, what), what);
}

static struct nl_msg *request(int type, int flags, void *header, int length)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	must(nlmsg_append(message, header, length, NLMSG_ALIGNTO), "nlmsg_append");
	return message;
}

static struct nl_msg *link_request(int type, int flags, int ifindex, unsigned up)
{
	struct ifinfomsg header = { .ifi_index = ifindex, .ifi_flags = up, .ifi_change = up };

	return request(type, flags, &header, sizeof(header));
}

static void list_links(struct nl_sock *socket, struct rows *rows)
{
	struct nl_msg *message = link_request(RTM_GETLINK, NLM_F_DUMP, 0, 0);

	nla_put_u32(message, IFLA_EXT_MASK, RTEXT_SKIP_STATS);
	exchange(socket, message, rows, "RTM_GETLINK, all");
}

static struct row get_link(struct nl_sock *socket, int ifindex, const char *ifname)
{
	struct rows rows;
	struct nl_msg *message = link_request(RTM_GETLINK, 0, ifindex, 0);

	if (ifname)
		nla_put_string(message, IFLA_IFNAME, ifname);
	nla_put_u32(message, IFLA_EXT_MASK, RTEXT_SKIP_STATS);
	exchange(socket, message, &rows, "RTM_GETLINK");
	return rows.row[0];
}

static int index_of(const struct rows *rows, const char *ifname)
{
	for (int at = 0; at < rows->count; at++)
		if (strcmp(rows->row[at].ifname, ifname) == 0)
			return rows->row[at].ifindex;
	errx(1, "there is no link %s", ifname);
}

static void rename_link(struct nl_sock *socket, int ifindex, const char *ifname)
{
	struct nl_msg *message = link_request(RTM_NEWLINK, 0, ifindex, 0);

	nla_put_string(message, IFLA_IFNAME, ifname);
	exchange(socket, message, NULL, "rename");
}

static void set_mtu(struct nl_sock *socket, int ifindex, unsigned mtu)
{
	struct nl_msg *message = link_request(RTM_NEWLINK, 0, ifindex, 0);

	nla_put_u32(message, IFLA_MTU, mtu);
	exchange(socket, message, NULL, "mtu");
}

static void set_up(struct nl_sock *socket, int ifindex)
{
	exchange(socket, link_request(RTM_NEWLINK, 0, ifindex, IFF_UP), NULL, "up");
}

static int put_ip(struct nl_msg *message, int attribute, int family, const char *text)
{
	unsigned char bytes[16];
	int length = family == AF_INET ? 4 : 16;

	if (inet_pton(family, text, bytes) != 1)
		errx(1, "%s is no address", text);
	return nla_put(message, attribute, length, bytes);
}

static void add_address(struct nl_sock *socket, int ifindex, int family, const char *local, int length, unsigned flags)
{
	struct ifaddrmsg header = { .ifa_family = family, .ifa_prefixlen = length, .ifa_index = ifindex };
	struct nl_msg *message = request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));

	put_ip(message, IFA_LOCAL, family, local);
	put_ip(message, IFA_ADDRESS, family, local);
	nla_put_u32(message, IFA_FLAGS, flags);
	exchange(socket, message, NULL, "RTM_NEWADDR");
}

static void add_route(struct nl_sock *socket, int ifindex, const char *to, int length, const char *via, unsigned metric)
{
	struct rtmsg header = { .rtm_family = AF_INET, .rtm_dst_len = length, .rtm_table = RT_TABLE_MAIN,
				.rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST };
	struct nl_msg *message = request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	put_ip(message, RTA_DST, AF_INET, to);
	put_ip(message, RTA_GATEWAY, AF_INET, via);
	nla_put_u32(message, RTA_OIF, ifindex);
	if (metric)
		nla_put_u32(message, RTA_PRIORITY, metric);
	exchange(socket, message, NULL, "RTM_NEWROUTE");
}

static void add_neighbor(struct nl_sock *socket, int ifindex, const char *destination)
{
	static const unsigned char address[] = { 2, 0, 0, 0, 0, 0x77 };
	struct ndmsg header = { .ndm_family = AF_INET, .ndm_ifindex = ifindex, .ndm_state = NUD_PERMANENT };
	struct nl_msg *message = request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));

	put_ip(message, NDA_DST, AF_INET, destination);
	nla_put(message, NDA_LLADDR, sizeof(address), address);
	exchange(socket, message, NULL, "RTM_NEWNEIGH");
}
