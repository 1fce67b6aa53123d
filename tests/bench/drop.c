/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What dropping a packet of a quarantined server costs: sg_xdp against a
 * program that only drops, by BPF_PROG_TEST_RUN, and both against an nftables
 * rule on a veth pair between two namespaces. There, sender and receiver are on
 * one CPU: the time per packet is that of sending and dropping it.
 */
#include "bench/bench.h"

#include <netinet/ip.h>
#include <netinet/udp.h>

#define ROUNDS 31
#define REPEAT 100000
#define PACKETS 20000
#define BATCH 32 /* then the receiver's end, on the same CPU, gets its turn */
#define PAYLOAD 64
#define COUNTED_MIN 0.99
#define PORT 3001
#define SENDER "10.81.0.1"
#define RECEIVER "10.81.0.2"
#define RECEIVER_MAC "02:00:00:81:00:02"
#define TABLE "sg_bench"

enum variant {
	BARE,
	LISTED,
	UNLISTED,
	NFT,
	VARIANT_COUNT
};

static const struct {
	const char *name;
	const char *json;
} variants[VARIANT_COUNT] = {
	[BARE] = { "bare XDP_DROP", "bare_drop" },
	[LISTED] = { "Switchgear, quarantined", "quarantined" },
	[UNLISTED] = { "Switchgear, not listed", "not_listed" },
	[NFT] = { "nftables drop", "nftables" },
};

static struct dataplane *dp;
static int bare = -1;
static int receiver_ns = -1;
static int sender_ns = -1;
static double test_run_ns[VARIANT_COUNT][BENCH_ROUNDS_MAX];
static double live_ns[VARIANT_COUNT][BENCH_ROUNDS_MAX];
static double live_seen[VARIANT_COUNT]; /* share of the packets that the dropper counted */

/* --- by BPF_PROG_TEST_RUN ------------------------------------------------------------ */

static double test_run(int prog, uint16_t port)
{
	uint8_t packet[14 + 20 + 8 + PAYLOAD] = {
		[12] = 8, [14] = 0x45, [22] = 64, [23] = IPPROTO_UDP
	};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = REPEAT);
	uint16_t source = htons(port);

	if (inet_pton(AF_INET, SENDER, packet + 26) != 1)
		bench_die("an address");
	memcpy(packet + 34, &source, sizeof(source));
	if (bpf_prog_test_run_opts(prog, &run))
		bench_die("BPF_PROG_TEST_RUN: %s", strerror(errno));
	if (run.retval != (port == PORT ? XDP_DROP : XDP_PASS))
		bench_die("a packet from port %u got the verdict %u", port, run.retval);
	return run.duration;
}

static void test_run_round(size_t round)
{
	int sg = bpf_program__fd(dp->skel->progs.sg_xdp);

	for (size_t i = 0; i < 3; i++) {
		size_t v = (i + round) % 3;

		test_run_ns[v][round] = test_run(v == BARE ? bare : sg, v == UNLISTED ? 9 : PORT);
	}
}

/* --- live ------------------------------------------------------------------------------ */

static void shell(const char *command)
{
	if (system(command))
		bench_die("failed: %s", command);
}

static int here(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		bench_die("the network namespace: %s", strerror(errno));
	return fd;
}

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		bench_die("the network namespace: %s", strerror(errno));
}

/* The sender's end is in the namespace that we are in, the receiver's in a new one. */
static void link_make(void)
{
	char command[256];

	sender_ns = here();
	bench_new_netns();
	receiver_ns = here();
	enter(sender_ns);
	snprintf(command, sizeof(command),
		 "ip link add sgb0 type veth peer name sgb1 address " RECEIVER_MAC
		 " netns /proc/%d/fd/%d",
		 getpid(), receiver_ns);
	shell(command);
	shell("ip addr add " SENDER "/24 dev sgb0 && ip link set sgb0 up && "
	      "ip neigh add " RECEIVER " lladdr " RECEIVER_MAC " dev sgb0");
	enter(receiver_ns);
	shell("ip addr add " RECEIVER "/24 dev sgb1 && ip link set sgb1 up");
	shell("nft add table inet " TABLE);
	enter(sender_ns);
	usleep(100000); /* until the link is up */
}

static int sender_socket(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 8 << 20;

	inet_pton(AF_INET, SENDER, &sin.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)))
		bench_die("a sender: %s", strerror(errno));
	inet_pton(AF_INET, RECEIVER, &sin.sin_addr);
	sin.sin_port = htons(9);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		bench_die("a sender: %s", strerror(errno));
	return fd;
}

static double send_all(int fd)
{
	char payload[PAYLOAD] = { 0 };
	struct iovec iov = { .iov_base = payload, .iov_len = sizeof(payload) };
	struct mmsghdr batch[BATCH];
	uint64_t start;
	int sent = 0;

	memset(batch, 0, sizeof(batch));
	for (size_t i = 0; i < BATCH; i++) {
		batch[i].msg_hdr.msg_iov = &iov;
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	start = bench_now();
	while (sent < PACKETS) {
		int n = sendmmsg(fd, batch, BATCH, 0);

		if (n <= 0)
			bench_die("sendmmsg: %s", strerror(errno));
		sent += n;
		sched_yield();
	}
	return (double)(bench_now() - start) / sent;
}

static uint64_t dropped(void)
{
	struct sg_stats st;

	if (dataplane_stats(dp, BENCH_SERVER, &st))
		bench_die("counters cannot be read");
	return st.dropped_packets;
}

static uint64_t nft_count(void)
{
	unsigned long long packets = 0;
	FILE *f = popen("nft list chain inet " TABLE
			" pre | grep -o 'packets [0-9]*' | cut -d' ' -f2",
			"r");

	if (!f || fscanf(f, "%llu", &packets) != 1)
		bench_die("the nftables counter cannot be read");
	pclose(f);
	return packets;
}

static void live_xdp(enum variant v, size_t round, int fd)
{
	int prog = v == BARE ? bare : bpf_program__fd(dp->skel->progs.sg_xdp);
	uint64_t before = dropped();
	int link;

	enter(receiver_ns);
	link = bpf_link_create(prog, (int)if_nametoindex("sgb1"), BPF_XDP, NULL);
	if (link < 0)
		bench_die("XDP on veth: %s", strerror(errno));
	enter(sender_ns);
	live_ns[v][round] = send_all(fd);
	close(link);
	if (v == LISTED)
		live_seen[v] += (double)(dropped() - before) / PACKETS / ROUNDS;
}

static void live_nft(size_t round, int fd)
{
	enter(receiver_ns);
	shell("nft 'add chain inet " TABLE " pre { type filter hook prerouting priority raw; }; "
	      "add rule inet " TABLE " pre ip saddr " SENDER " udp sport 3001 counter drop'");
	enter(sender_ns);
	live_ns[NFT][round] = send_all(fd);
	enter(receiver_ns);
	live_seen[NFT] += (double)nft_count() / PACKETS / ROUNDS;
	shell("nft delete chain inet " TABLE " pre");
	enter(sender_ns);
}

static void live_round(size_t round, int fd)
{
	static const enum variant order[] = { BARE, LISTED, NFT };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		enum variant v = order[(i + round) % ARRAY_SIZE(order)];

		if (v == NFT)
			live_nft(round, fd);
		else
			live_xdp(v, round, fd);
	}
}

/* --- what comes out ---------------------------------------------------------------------- */

static void print_row(double (*v)[BENCH_ROUNDS_MAX], enum variant at)
{
	printf("  %-26s %8.1f", variants[at].name, bench_median(v[at], ROUNDS));
	if (at != BARE)
		printf(" %+8.1f ns", bench_paired(v[at], v[BARE], ROUNDS));
	if (v == live_ns && at != BARE)
		printf("   counted %5.1f %% of the packets", 100 * live_seen[at]);
	putchar('\n');
}

static void print_tables(void)
{
	printf("a packet by BPF_PROG_TEST_RUN, medians of %d interleaved rounds\n  %-26s %8s %11s\n",
	       ROUNDS, "", "ns", "above bare");
	for (enum variant v = BARE; v <= UNLISTED; v++)
		print_row(test_run_ns, v);
	printf("a datagram of %d bytes sent and dropped over veth, one CPU\n  %-26s %8s %11s\n",
	       PAYLOAD, "", "ns", "above bare");
	print_row(live_ns, BARE);
	print_row(live_ns, LISTED);
	print_row(live_ns, NFT);
	putchar('\n');
}

static void write_json(const char *path)
{
	CLEANUP(fclosep) FILE *f = fopen(path, "w");

	if (!f)
		bench_die("%s: %s", path, strerror(errno));
	fprintf(f, "{\"rounds\": %d, \"test_run_ns\": {", ROUNDS);
	for (enum variant v = BARE; v <= UNLISTED; v++)
		fprintf(f, "%s\"%s\": %.1f", v ? ", " : "", variants[v].json,
			bench_median(test_run_ns[v], ROUNDS));
	fprintf(f, "},\n \"veth_ns\": {\"%s\": %.1f, \"%s\": %.1f, \"%s\": %.1f},\n",
		variants[BARE].json, bench_median(live_ns[BARE], ROUNDS), variants[LISTED].json,
		bench_median(live_ns[LISTED], ROUNDS), variants[NFT].json,
		bench_median(live_ns[NFT], ROUNDS));
	fprintf(f, " \"veth_counted\": {\"%s\": %.4f, \"%s\": %.4f}}\n", variants[LISTED].json,
		live_seen[LISTED], variants[NFT].json, live_seen[NFT]);
}

static int run(const char *json)
{
	int fd;

	dp = bench_dataplane(bench_place.cgroup);
	bench_endpoint(dp, SENDER, PORT);
	if (dataplane_quarantine_set(dp, BENCH_SERVER, SG_FOREVER))
		return 2;
	bare = bench_return(BPF_PROG_TYPE_XDP, BPF_XDP, XDP_DROP);
	link_make();
	bench_pin();
	fd = sender_socket();
	for (size_t round = 0; round < ROUNDS; round++) {
		test_run_round(round);
		live_round(round, fd);
	}
	print_tables();
	write_json(json);
	if (live_seen[LISTED] < COUNTED_MIN || live_seen[NFT] < COUNTED_MIN) {
		printf("INVALID: not every packet reached what was to drop it\n");
		return BENCH_INVALID;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		bench_die("usage: %s JSON-FILE", argv[0]);
	return bench_main(run, argv[1]);
}
