/*
 * The measure for netferry's attach and detach: what the kernel has to do for them, by a C program on libnl.
 *
 * Usage: attach LINK NETNS-FILE. Reads `attach` or `detach`, one a line, does it and prints how long it took and how
 * long the kernel took for the move alone, both in nanoseconds. The link, the pod's configuration and the state to
 * restore are those of place.ts. Each step names the code whose kernel operations it repeats; `./dev bench` counts the
 * operations of both sides and fails when they differ.
 *
 * Built by: gcc -O2 attach.c $(pkg-config --cflags --libs libnl-3.0 libnl-route-3.0)
 */
#include "attach-netlink.h"
#include "attach-driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY_NAME "nfbenchbenchbe"
#define POD_LINK "net1"
#define POD_MTU 1400
#define MAX_SYSCTLS 512
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *link_name, *netns_path;
static struct nl_sock *host;

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* ---- Sysctls of a link: src/kernel/link-sysctls.ts. */

static const char *const tables[] = { "ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh" };
static const char *const skipped[] = { "conf/mc_forwarding", "neigh/retrans_time", "neigh/base_reachable_time",
				       "neigh/unres_qlen" };

struct sysctl {
	const char *table, *key;
	char value[64];
};

struct sysctls {
	struct sysctl entry[MAX_SYSCTLS];
	int count;
};

static struct sysctls known; /* keys only: they are the same for every link */

static bool is_skipped(const char *table, const char *key)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", strchr(table, '/') + 1, key);
	for (size_t at = 0; at < LENGTH(skipped); at++)
		if (strcmp(path, skipped[at]) == 0)
			return true;
	return false;
}

static void learn_sysctls(void)
{
	for (size_t at = 0; at < LENGTH(tables); at++) {
		char path[300];
		DIR *directory;

		snprintf(path, sizeof(path), "/proc/sys/net/%s/lo", tables[at]);
		directory = opendir(path);
		if (!directory)
			err(1, "%s", path);
		for (struct dirent *entry; (entry = readdir(directory));)
			if (entry->d_name[0] != '.' && !is_skipped(tables[at], entry->d_name))
				known.entry[known.count++] = (struct sysctl){ tables[at], strdup(entry->d_name), "" };
		closedir(directory);
	}
}

/* Of the directory `at`, or by its whole path. */
static bool read_sysctl_at(int at, const char *path, char *value, size_t size)
{
	int file = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (file < 0)
		return false;
	length = read(file, value, size - 1);
	close(file);
	if (length <= 0)
		return false;
	value[value[length - 1] == '\n' ? length - 1 : length] = 0;
	return true;
}

static bool read_sysctl(const char *ifname, const struct sysctl *key, char *value, size_t size)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", key->table, ifname, key->key);
	return read_sysctl_at(AT_FDCWD, path, value, size);
}

static void write_sysctl(const char *ifname, const struct sysctl *sysctl)
{
	char path[300], value[64];
	int file;

	if (read_sysctl(ifname, sysctl, value, sizeof(value)) && strcmp(value, sysctl->value) == 0)
		return;
	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", sysctl->table, ifname, sysctl->key);
	file = open(path, O_WRONLY | O_CLOEXEC);
	must_sys(file, path);
	must_sys(write(file, sysctl->value, strlen(sysctl->value)), path);
	close(file);
}

/* ---- snapshotLink() of src/kernel/snapshot.ts. */

struct snapshot {
	struct row link;
	struct rows addresses, routes4, routes6, neighbors, proxies, settings[6];
	struct sysctls sysctls;
	unsigned programs;
};

static void list_routes(struct nl_sock *socket, int family, int ifindex, struct rows *rows)
{
	struct rtmsg header = { .rtm_family = family };
	struct nl_msg *message = request(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));

	nla_put_u32(message, RTA_OIF, ifindex);
	exchange(socket, message, rows, "RTM_GETROUTE");
}

static void list_neighbors(struct nl_sock *socket, int flags, int ifindex, struct rows *rows)
{
	struct ndmsg header = { .ndm_flags = flags };
	struct nl_msg *message = request(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));

	nla_put_u32(message, NDA_IFINDEX, ifindex);
	exchange(socket, message, rows, "RTM_GETNEIGH");
}

static void read_sysctls(struct snapshot *snapshot)
{
	const char *table = "";
	int directory = -1;

	snapshot->sysctls.count = 0;
	for (int at = 0; at < known.count; at++) {
		struct sysctl *to = &snapshot->sysctls.entry[snapshot->sysctls.count];

		*to = known.entry[at];
		if (to->table != table) {
			char path[300];

			if (directory >= 0)
				close(directory);
			table = to->table;
			snprintf(path, sizeof(path), "/proc/sys/net/%s/%s", table, snapshot->link.ifname);
			directory = open(path, O_RDONLY | O_CLOEXEC);
			must_sys(directory, path);
		}
		if (!read_sysctl_at(directory, to->key, to->value, sizeof(to->value)))
			continue;
		/* The IPv6 MTU follows the link's. */
		if (strcmp(to->key, "mtu") != 0 || strtoul(to->value, NULL, 10) != snapshot->link.mtu)
			snapshot->sysctls.count++;
	}
	close(directory);
}

static void take_snapshot(struct nl_sock *socket, int ifindex, struct snapshot *snapshot)
{
	struct ifaddrmsg header = { .ifa_index = ifindex };

	snapshot->link = get_link(socket, ifindex, NULL);
	exchange(socket, request(RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header)), &snapshot->addresses, "RTM_GETADDR");
	list_routes(socket, AF_INET, ifindex, &snapshot->routes4);
	list_routes(socket, AF_INET6, ifindex, &snapshot->routes6);
	list_neighbors(socket, 0, ifindex, &snapshot->neighbors);
	list_neighbors(socket, NTF_PROXY, ifindex, &snapshot->proxies);
	read_sysctls(snapshot);
	get_qdisc(socket, ifindex, TC_H_INGRESS);
	get_qdisc(socket, ifindex, TC_H_ROOT);
	snapshot->programs = list_tcx(ifindex);
	read_ethtool(ifindex, snapshot->settings);
}

/* ---- moveLink() of src/kernel/move-link.ts. Answers the index in the target; adds to `*kernel_ns`. */

static int move_link(struct nl_sock *from, int ifindex, struct nl_sock *to, int netns, long *kernel_ns)
{
	struct nl_msg *message;
	long start;

	get_link(from, ifindex, NULL);
	message = link_request(RTM_NEWLINK, 0, ifindex, 0);
	nla_put_string(message, IFLA_IFNAME, TEMPORARY_NAME);
	nla_put_u32(message, IFLA_NET_NS_FD, netns);
	start = now_ns();
	exchange(from, message, NULL, "move");
	*kernel_ns += now_ns() - start;
	return get_link(to, 0, TEMPORARY_NAME).ifindex;
}

/* ---- attachDevice() of src/attach/attach.ts, bringHome() of src/attach/detach.ts. */

static int held;
static struct snapshot before, after;

/* holdNetns() of ffi/netns.ts. */
static void hold(void)
{
	int entry = open(netns_path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	must_sys(entry, netns_path);
	must_sys(setns(entry, CLONE_NEWNET), "setns");
	held = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	must_sys(held, "/proc/thread-self/ns/net");
	must_sys(fstat(held, &status), "fstat");
	must_sys(setns(home, CLONE_NEWNET), "setns home");
	close(entry);
}

static long attach(void)
{
	struct rows rows;
	struct nl_sock *pod;
	long kernel_ns = 0;
	int ifindex;

	hold();
	list_links(host, &rows);
	ifindex = index_of(&rows, link_name);
	take_snapshot(host, ifindex, &before);

	pod = open_socket_in(held);
	ifindex = move_link(host, ifindex, pod, held, &kernel_ns);
	nl_socket_free(pod);

	/* applySteps() of src/kernel/serve.ts with the plan of src/attach/plan.ts */
	pod = open_socket_in(held);
	set_mtu(pod, ifindex, POD_MTU);
	rename_link(pod, ifindex, POD_LINK);
	add_address(pod, ifindex, AF_INET, "10.90.0.2", 24, 0);
	add_address(pod, ifindex, AF_INET6, "fd90::2", 64, 0);
	set_up(pod, ifindex);
	add_route(pod, ifindex, "10.91.0.0", 16, "10.90.0.1", 0);
	nl_socket_free(pod);

	pod = open_socket_in(held);
	list_links(pod, &rows);
	nl_socket_free(pod);
	if (index_of(&rows, POD_LINK) != ifindex)
		errx(1, "the link is not in the pod");
	return kernel_ns;
}

/* clearLink() of src/kernel/clear-link.ts: there is nothing to clear. */
static void clear_link(int ifindex)
{
	struct nl_sock *pod = open_socket_in(held);
	struct rows rows;

	list_links(pod, &rows);
	get_link(pod, ifindex, NULL);
	must_sys(setns(held, CLONE_NEWNET), "setns");
	if (list_tcx(ifindex) > 0)
		errx(1, "there are programs in the pod");
	must_sys(setns(home, CLONE_NEWNET), "setns home");
	get_qdisc(pod, ifindex, TC_H_INGRESS);
	nl_socket_free(pod);
}

static long detach(void)
{
	struct rows rows;
	struct nl_sock *pod;
	long kernel_ns = 0;
	int ifindex;

	pod = open_socket_in(held);
	list_links(pod, &rows);
	nl_socket_free(pod);
	ifindex = index_of(&rows, POD_LINK);
	clear_link(ifindex);

	pod = open_socket_in(held);
	ifindex = move_link(pod, ifindex, host, home, &kernel_ns);
	nl_socket_free(pod);

	take_snapshot(host, ifindex, &after);

	/* applySteps() with the steps of src/attach/restore.ts */
	rename_link(host, ifindex, link_name);
	set_mtu(host, ifindex, before.link.mtu);
	for (int at = 0; at < before.sysctls.count; at++) {
		const struct sysctl *was = &before.sysctls.entry[at];

		if (strcmp(was->key, after.sysctls.entry[at].key) != 0)
			errx(1, "another list of sysctls after the return");
		if (strcmp(was->value, after.sysctls.entry[at].value) != 0) {
			get_link(host, ifindex, NULL);
			write_sysctl(link_name, was);
		}
	}
	add_address(host, ifindex, AF_INET, "10.80.0.2", 24, 0);
	add_address(host, ifindex, AF_INET, "10.81.0.2", 24, 0);
	add_address(host, ifindex, AF_INET6, "fd80::2", 64, IFA_F_NODAD);
	set_up(host, ifindex);
	add_route(host, ifindex, "10.82.0.0", 16, "10.80.0.1", 200);
	add_neighbor(host, ifindex, "10.80.0.77");
	close(held);
	return kernel_ns;
}

int main(int argc, char **argv)
{
	char line[16];

	if (argc != 3)
		errx(2, "usage: attach LINK NETNS-FILE");
	link_name = argv[1];
	netns_path = argv[2];
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	must_sys(home, "/proc/thread-self/ns/net");
	host = open_socket_of(NETLINK_ROUTE);
	open_generic();
	learn_sysctls();
	while (fgets(line, sizeof(line), stdin)) {
		long start = now_ns(), kernel_ns = strcmp(line, "attach\n") == 0 ? attach() : detach();

		printf("%ld %ld\n", now_ns() - start, kernel_ns);
		fflush(stdout);
	}
	return 0;
}
