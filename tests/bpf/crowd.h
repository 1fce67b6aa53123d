/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many sockets of every kind in many network namespaces, to servers that listen in
 * each of them: for what has to find and end them all.
 */
#ifndef SWITCHGEAR_TESTS_BPF_CROWD_H
#define SWITCHGEAR_TESTS_BPF_CROWD_H

#include "dataplane/dataplane.h"

#define CROWD_SPACES_MAX 16
#define CROWD_SERVERS_MAX 16
#define CROWD_PORT 3100      /* of the first server; the others follow */
#define CROWD_V4 "192.0.2.1" /* on the loopback of every namespace */
#define CROWD_V6 "2001:db8::1"

enum crowd_kind {
	CROWD_TCP4,
	CROWD_TCP6,
	CROWD_MAPPED,   /* v4-mapped, on a socket of IPv6 */
	CROWD_UDP,      /* connected, and used */
	CROWD_SYN_SENT, /* nobody answers */
	CROWD_BOUND,    /* to a device */
	CROWD_KIND_COUNT
};

struct crowd_socket {
	int fd;
	uint32_t server; /* id */
	enum crowd_kind kind;
};

struct crowd {
	struct dataplane *dp;
	int home;                      /* the namespace that crowd_init() was called in */
	int spaces[CROWD_SPACES_MAX];  /* descriptors of namespaces */
	int keepers[CROWD_SPACES_MAX]; /* processes in them, so that they can be found */
	size_t n_spaces;
	uint32_t first_server; /* id; the others follow */
	size_t servers_n;
	struct crowd_socket *sockets; /* owned */
	size_t n;
	int listeners[CROWD_SPACES_MAX * CROWD_SERVERS_MAX * 3];
	size_t n_listeners;
};

/*
 * Makes the namespaces, and in each one listeners of every server; the servers, whose
 * policy is given, get the ids from `first` on. Whatever fails ends the process with a
 * message: this is for tests and benchmarks.
 */
void crowd_init(struct crowd *c, struct dataplane *dp, size_t spaces, uint32_t first,
		size_t servers, const struct sg_policy *policy);
/* Adds n sockets to a server, spread over namespaces and kinds. */
void crowd_add(struct crowd *c, uint32_t server, size_t n);
/* Closes every socket of the crowd. */
void crowd_disperse(struct crowd *c);
void crowd_done(struct crowd *c);

/* How many sockets of a server (SG_SERVERS_MAX: all) are alive. */
size_t crowd_alive(const struct crowd *c, uint32_t server);

/* Orders a quarantine and kills: ns until it is over. Dies if somebody survives. */
uint64_t crowd_quarantine(struct crowd *c, uint32_t server);

#endif
