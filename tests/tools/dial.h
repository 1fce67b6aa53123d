/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every way in which a program can reach a server: each mode ends in the same
 * result, so that a test can run one assertion over all of them.
 */
#ifndef SWITCHGEAR_TESTS_DIAL_H
#define SWITCHGEAR_TESTS_DIAL_H

#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "util.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum mode {
	MODE_TCP,
	MODE_V4MAPPED,
	MODE_NONBLOCK,
	MODE_TFO,
	MODE_TFO_CONNECT,
	MODE_MPTCP,
	MODE_IOURING,
	MODE_UDP_SENDTO,
	MODE_UDP_CONNECT,
	MODE_UDP_MAPPED,
	MODE_UDP_MAPPED_CONNECT,
	MODE_UDP_UNSPEC,
	MODE_COUNT
};

static const char *const mode_names[] = {
	[MODE_TCP] = "tcp",
	[MODE_V4MAPPED] = "v4mapped",
	[MODE_NONBLOCK] = "nonblock",
	[MODE_TFO] = "tfo",
	[MODE_TFO_CONNECT] = "tfo-connect",
	[MODE_MPTCP] = "mptcp",
	[MODE_IOURING] = "iouring",
	[MODE_UDP_SENDTO] = "udp-sendto",
	[MODE_UDP_CONNECT] = "udp-connect",
	[MODE_UDP_MAPPED] = "udp-mapped",
	[MODE_UDP_MAPPED_CONNECT] = "udp-mapped-connect",
	[MODE_UDP_UNSPEC] = "udp-unspec",
};
_Static_assert(sizeof(mode_names) / sizeof(mode_names[0]) == MODE_COUNT, "mode without a name");

static inline enum mode parse_mode(const char *text)
{
	for (int i = 0; i < MODE_COUNT; i++) {
		if (!strcmp(text, mode_names[i]))
			return (enum mode)i;
	}
	die("--mode: \"%s\" is not known", text);
}

static inline bool mode_is_udp(enum mode mode)
{
	return mode >= MODE_UDP_SENDTO;
}

static inline bool mode_is_mapped(enum mode mode)
{
	return mode == MODE_V4MAPPED || mode == MODE_UDP_MAPPED || mode == MODE_UDP_MAPPED_CONNECT;
}

/* Waits for events; 0, or -ETIME: our own patience, while ETIMEDOUT is the kernel's. */
static inline int wait_for(int fd, short events, double until)
{
	struct pollfd p = { .fd = fd, .events = events };
	double left;

	do {
		left = until - now_ms();
		if (poll(&p, 1, left > 0 ? (int)left + 1 : 0) > 0)
			return 0;
	} while (left > 0);
	return -ETIME;
}

static inline int socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		return -errno;
	return -error;
}

static inline int dial_plain(int fd, const struct endpoint *ep, double until)
{
	int r;

	if (!connect(fd, (const struct sockaddr *)&ep->sa, ep->len))
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	r = wait_for(fd, POLLOUT, until);
	return r ? r : socket_error(fd);
}

/* The blocking call, as a simple client makes it; SO_SNDTIMEO bounds it. */
static inline int dial_blocking(int fd, const struct endpoint *ep, double until)
{
	double left = until - now_ms();
	long us = left > 0 ? (long)(left * 1e3) + 1 : 1;
	struct timeval limit = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };

	set_nonblocking(fd, false);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&ep->sa, ep->len))
		return errno == EINPROGRESS ? -ETIME : -errno;
	set_nonblocking(fd, true);
	return 0;
}

struct ring {
	int fd;
	void *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static inline void ring_close(struct ring *r)
{
	if (r->rings != MAP_FAILED)
		munmap(r->rings, r->rings_size);
	if (r->sqes != MAP_FAILED)
		munmap(r->sqes, r->params.sq_entries * sizeof(struct io_uring_sqe));
	close(r->fd);
}

static inline int ring_open(struct ring *r)
{
	size_t sq, cq;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 2, &r->params);
	if (r->fd < 0)
		return -errno;
	sq = r->params.sq_off.array + r->params.sq_entries * sizeof(uint32_t);
	cq = r->params.cq_off.cqes + r->params.cq_entries * sizeof(struct io_uring_cqe);
	r->rings_size = sq > cq ? sq : cq;
	r->rings = mmap(NULL, r->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->params.sq_entries * sizeof(struct io_uring_sqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->rings != MAP_FAILED && (void *)r->sqes != MAP_FAILED)
		return 0;
	ring_close(r);
	return -ENOMEM;
}

static inline uint32_t *ring_word(const struct ring *r, uint32_t offset)
{
	return (uint32_t *)((char *)r->rings + offset);
}

/* IORING_OP_CONNECT by hand: submit one entry, wait for its completion. */
static inline int dial_iouring(int fd, const struct endpoint *ep, double until)
{
	struct ring ring;
	struct io_uring_cqe *cqe;
	uint32_t tail, head;
	int r = ring_open(&ring);

	if (r) {
		fprintf(stderr, "agent: io_uring: %s\n", strerror(-r));
		exit(EXIT_SKIP);
	}
	memset(ring.sqes, 0, sizeof(*ring.sqes));
	ring.sqes->opcode = IORING_OP_CONNECT;
	ring.sqes->fd = fd;
	ring.sqes->addr = (uint64_t)(uintptr_t)&ep->sa;
	ring.sqes->off = ep->len;
	tail = *ring_word(&ring, ring.params.sq_off.tail);
	ring_word(&ring, ring.params.sq_off.array)[tail & (ring.params.sq_entries - 1)] = 0;
	__atomic_store_n(ring_word(&ring, ring.params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) < 0) {
		r = -errno;
	} else if (!(r = wait_for(ring.fd, POLLIN, until))) {
		head = *ring_word(&ring, ring.params.cq_off.head);
		cqe = (struct io_uring_cqe *)((char *)ring.rings + ring.params.cq_off.cqes);
		r = cqe[head & (ring.params.cq_entries - 1)].res;
	}
	ring_close(&ring);
	return r;
}

/* The connect of TFO: the request travels with it, `*sent` bytes of it. */
static inline int dial_tfo(int fd, const struct endpoint *ep, const char *data, size_t len,
			   size_t *sent, double until)
{
	ssize_t n = sendto(fd, data, len, MSG_FASTOPEN | MSG_NOSIGNAL,
			   (const struct sockaddr *)&ep->sa, ep->len);
	int r;

	if (n >= 0) {
		*sent = (size_t)n;
		return 0;
	}
	if (errno != EINPROGRESS)
		return -errno;
	r = wait_for(fd, POLLOUT, until);
	return r ? r : socket_error(fd);
}

#define MD5_KEYS_MAX 100000

/*
 * Fills the option memory of a TCP socket with keys (TCP_MD5SIG) for addresses that
 * it never speaks to, which every user may: what a BPF program wants to store with
 * the socket finds no room. Exits where the kernel has no such keys.
 */
static inline void md5_keys_fill(int fd, int family)
{
	struct tcp_md5sig key = { .tcpm_keylen = 1, .tcpm_key = { 'k' } };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&key.tcpm_addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&key.tcpm_addr;

	key.tcpm_addr.ss_family = (sa_family_t)family;
	for (uint32_t i = 1; i < MD5_KEYS_MAX; i++) {
		if (family == AF_INET)
			v4->sin_addr.s_addr = htonl(0xc6120000 + i); /* 198.18.0.0/15 */
		else
			memcpy(&v6->sin6_addr, &(uint32_t[4]){ htonl(0x20010db8), 0, 0, htonl(i) },
			       sizeof(v6->sin6_addr));
		if (!setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key)))
			continue;
		if (i > 1 && (errno == ENOMEM || errno == ENOBUFS))
			return;
		fprintf(stderr, "TCP_MD5SIG: %s\n", strerror(errno));
		exit(EXIT_SKIP);
	}
	die("TCP_MD5SIG: the option memory does not fill up");
}

static inline int dial_socket(enum mode mode, int family)
{
	int type = (mode_is_udp(mode) ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int one = 1;
	int fd = socket(family, type, mode == MODE_MPTCP ? IPPROTO_MPTCP : 0);

	if (fd < 0 && mode == MODE_MPTCP) {
		fprintf(stderr, "agent: MPTCP: %s\n", strerror(errno));
		exit(EXIT_SKIP);
	}
	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (mode == MODE_TFO_CONNECT &&
	    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)))
		die("TCP_FASTOPEN_CONNECT: %s", strerror(errno));
	if (!mode_is_udp(mode))
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/*
 * Connects `fd`; `data` is what TFO may send at once, `*sent` how much of it
 * went. 0, or -errno, -ETIME when our own patience ended.
 */
static inline int dial(int fd, enum mode mode, const struct endpoint *to, const char *data,
		       size_t len, size_t *sent, double until)
{
	struct endpoint ep = mode_is_mapped(mode) ? map_endpoint(to) : *to;

	*sent = 0;
	switch (mode) {
	case MODE_TCP:
	case MODE_V4MAPPED:
	case MODE_MPTCP:
		return dial_blocking(fd, &ep, until);
	case MODE_IOURING:
		return dial_iouring(fd, &ep, until);
	case MODE_TFO:
		return dial_tfo(fd, &ep, data, len, sent, until);
	case MODE_UDP_CONNECT:
	case MODE_UDP_MAPPED_CONNECT:
	default: /* non-blocking */
		return dial_plain(fd, &ep, until);
	}
}

/* One datagram; 0 or -errno. `fd` is connected for the connect modes. */
static inline int dial_datagram(int fd, enum mode mode, const struct endpoint *to)
{
	struct endpoint ep = mode_is_mapped(mode) ? map_endpoint(to) : *to;
	ssize_t n;

	if (mode == MODE_UDP_UNSPEC)
		ep.sa.ss_family = AF_UNSPEC;
	if (mode == MODE_UDP_CONNECT || mode == MODE_UDP_MAPPED_CONNECT)
		n = send(fd, "ping", 4, MSG_NOSIGNAL);
	else
		n = sendto(fd, "ping", 4, MSG_NOSIGNAL, (struct sockaddr *)&ep.sa, ep.len);
	return n < 0 ? -errno : 0;
}

#endif
