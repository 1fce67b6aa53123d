/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A cable between two interfaces with faults on demand: duplicates, losses,
 * delay, and forged copies of TCP segments. It stands in for netem, which not
 * every kernel has. Offloads pass through by the virtio header, so that frames
 * with checksums still to be filled in arrive as they would on a real veth.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>

#include "util.h"

#define FRAME_MAX (65536 + 128)
#define QUEUE_MAX 65536
#define DROPS_MAX 64

enum side {
	SIDE_A,
	SIDE_B
};

struct frame {
	struct frame *next;
	double due;
	size_t len;
	unsigned char data[]; /* virtio_net_hdr, then the frame */
};

static struct {
	const char *name[2];
	int fd[2];
	bool faults[2]; /* applied to what comes in on this side */
	bool dup;
	bool forge;
	long delay_ms;
	unsigned long drop[DROPS_MAX]; /* numbers of segments with payload, from 1 */
	int drops;
	struct frame *head[2], **tail[2]; /* by the side that they go out on */
	unsigned long queued;
	unsigned long frames[2], payload[2], duplicated, dropped, forged, failed;
} wire = { .fd = { -1, -1 }, .faults = { true, true } };

static volatile sig_atomic_t stop;

static const char usage[] =
	"usage: wire --a IF --b IF [--from a|b] [--dup] [--forge] [--drop N[,N]...] [--delay MS]\n"
	"            [--seconds N]\n"
	"Forwards all frames between IF and IF, both in this network namespace, until it is\n"
	"terminated. Faults apply to frames that come in on both sides, or on one (--from):\n"
	"--dup     sends each TCP segment with payload twice\n"
	"--forge   sends a copy with a wrong sequence number before each such segment\n"
	"--drop    loses the N-th such segments, counted from 1 on each side\n"
	"--delay   sends everything later\n"
	"At its end, and at SIGUSR1, it prints what it did on one line.\n"
	"Exit status: 0 terminated, 1 its time was over, 2 usage or no such interface.\n";

static void on_signal(int number)
{
	stop = number == SIGUSR1 ? 2 : 1;
}

static int open_side(const char *name)
{
	int one = 1;
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(name) };
	struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	int size = 16 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || !at.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("wire: interface %s: %s", name, strerror(errno));
	return fd;
}

static void enqueue(enum side out, const unsigned char *data, size_t len, double due)
{
	struct frame *f;

	if (wire.queued >= QUEUE_MAX || !(f = malloc(sizeof(*f) + len))) {
		wire.failed++;
		return;
	}
	f->next = NULL;
	f->due = due;
	f->len = len;
	memcpy(f->data, data, len);
	*wire.tail[out] = f;
	wire.tail[out] = &f->next;
	wire.queued++;
}

/* The TCP header of a frame that carries payload, else NULL. */
static struct tcphdr *payload_segment(unsigned char *data, size_t len)
{
	unsigned char *p = data + sizeof(struct virtio_net_hdr);
	unsigned char *end = data + len;
	struct ethhdr *eth = (struct ethhdr *)p;
	struct tcphdr *tcp;
	size_t total;

	p += sizeof(*eth);
	if (p + sizeof(struct ip6_hdr) + sizeof(*tcp) > end &&
	    p + sizeof(struct iphdr) + sizeof(*tcp) > end)
		return NULL;
	if (eth->h_proto == htons(ETH_P_IP)) {
		struct iphdr *ip = (struct iphdr *)p;

		if (ip->protocol != IPPROTO_TCP)
			return NULL;
		total = ntohs(ip->tot_len);
		p += ip->ihl * 4UL;
		total -= ip->ihl * 4UL;
	} else if (eth->h_proto == htons(ETH_P_IPV6)) {
		struct ip6_hdr *ip = (struct ip6_hdr *)p;

		if (ip->ip6_nxt != IPPROTO_TCP)
			return NULL;
		total = ntohs(ip->ip6_plen);
		p += sizeof(*ip);
	} else {
		return NULL;
	}
	tcp = (struct tcphdr *)p;
	if (p + sizeof(*tcp) > end || total <= tcp->doff * 4UL)
		return NULL;
	return tcp;
}

/* Adds to a 32-bit field and repairs the checksum (RFC 1624), if it is filled in. */
static void shift_sequence(struct tcphdr *tcp, uint32_t by, bool partial)
{
	uint32_t before = tcp->seq;
	uint32_t after = htonl(ntohl(before) + by);
	uint32_t sum = (uint16_t)~tcp->check;

	tcp->seq = after;
	if (partial)
		return;
	sum += (uint16_t) ~(before & 0xffff) + (uint16_t) ~(before >> 16);
	sum += (after & 0xffff) + (after >> 16);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	tcp->check = (uint16_t)~sum;
}

static bool to_drop(unsigned long number)
{
	for (int i = 0; i < wire.drops; i++) {
		if (wire.drop[i] == number)
			return true;
	}
	return false;
}

static void forward(enum side from, unsigned char *data, size_t len)
{
	const struct virtio_net_hdr *vnet = (const struct virtio_net_hdr *)data;
	struct tcphdr *tcp = payload_segment(data, len);
	bool partial = vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	double due = now_ms() + (wire.faults[from] ? (double)wire.delay_ms : 0);
	enum side out = from == SIDE_A ? SIDE_B : SIDE_A;

	wire.frames[from]++;
	if (tcp)
		wire.payload[from]++;
	if (!tcp || !wire.faults[from]) {
		enqueue(out, data, len, due);
		return;
	}
	if (to_drop(wire.payload[from])) {
		wire.dropped++;
		return;
	}
	if (wire.forge) {
		shift_sequence(tcp, 20000, partial);
		enqueue(out, data, len, due);
		shift_sequence(tcp, -20000U, partial);
		wire.forged++;
	}
	enqueue(out, data, len, due);
	if (wire.dup) {
		enqueue(out, data, len, due);
		wire.duplicated++;
	}
}

static void receive(enum side from)
{
	static unsigned char data[FRAME_MAX];

	for (int i = 0; i < 64; i++) {
		ssize_t n = recv(wire.fd[from], data, sizeof(data), 0);

		if (n < (ssize_t)(sizeof(struct virtio_net_hdr) + sizeof(struct ethhdr)))
			return;
		forward(from, data, (size_t)n);
	}
}

/* Sends what is due on one side; the ms until its next frame. Frames never overtake. */
static int drain(enum side out)
{
	double now = now_ms();
	struct frame *f;

	while ((f = wire.head[out]) && f->due <= now) {
		if (send(wire.fd[out], f->data, f->len, 0) < 0)
			wire.failed++;
		wire.head[out] = f->next;
		if (!f->next)
			wire.tail[out] = &wire.head[out];
		wire.queued--;
		free(f);
	}
	return f ? (int)(f->due - now) + 1 : 500;
}

static void report(void)
{
	printf("a2b=%lu b2a=%lu payload_a=%lu payload_b=%lu dup=%lu dropped=%lu forged=%lu "
	       "failed=%lu\n",
	       wire.frames[SIDE_A], wire.frames[SIDE_B], wire.payload[SIDE_A], wire.payload[SIDE_B],
	       wire.duplicated, wire.dropped, wire.forged, wire.failed);
	fflush(stdout);
}

static int run(double until)
{
	while (now_ms() < until) {
		struct pollfd p[2] = { { .fd = wire.fd[SIDE_A], .events = POLLIN },
				       { .fd = wire.fd[SIDE_B], .events = POLLIN } };

		int a = drain(SIDE_A), b = drain(SIDE_B);

		poll(p, 2, a < b ? a : b);
		if (stop)
			report();
		if (stop == 1)
			return 0;
		stop = 0;
		for (int side = SIDE_A; side <= SIDE_B; side++) {
			if (p[side].revents)
				receive((enum side)side);
		}
	}
	report();
	return 1;
}

static void parse_drops(char *list)
{
	char *save = NULL;

	for (char *t = strtok_r(list, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
		if (wire.drops == DROPS_MAX)
			die("--drop: too many");
		wire.drop[wire.drops++] = (unsigned long)parse_long("--drop", t, 1, 1000000);
	}
}

static void option(const char *name, char *value, long *seconds)
{
	if (!value)
		die("%s", usage);
	if (!strcmp(name, "--a"))
		wire.name[SIDE_A] = value;
	else if (!strcmp(name, "--b"))
		wire.name[SIDE_B] = value;
	else if (!strcmp(name, "--from"))
		wire.faults[*value == 'a' ? SIDE_B : SIDE_A] = false;
	else if (!strcmp(name, "--drop"))
		parse_drops(value);
	else if (!strcmp(name, "--delay"))
		wire.delay_ms = parse_long(name, value, 0, 60000);
	else if (!strcmp(name, "--seconds"))
		*seconds = parse_long(name, value, 1, 86400);
	else
		die("%s", usage);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	long seconds = 600;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--dup")) {
			wire.dup = true;
		} else if (!strcmp(argv[i], "--forge")) {
			wire.forge = true;
		} else {
			option(argv[i], argv[i + 1], &seconds);
			i++;
		}
	}
	if (!wire.name[SIDE_A] || !wire.name[SIDE_B])
		die("%s", usage);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (int side = SIDE_A; side <= SIDE_B; side++) {
		wire.tail[side] = &wire.head[side];
		wire.fd[side] = open_side(wire.name[side]);
	}
	puts("ready");
	fflush(stdout);
	return run(now_ms() + (double)seconds * 1e3);
}
