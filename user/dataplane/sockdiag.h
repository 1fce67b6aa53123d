/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listing sockets and destroying one by netlink (sock_diag), in the caller's network
 * namespace. The owner of a destroyed socket reads ECONNABORTED, the peer of a
 * connection gets a reset. Needs CAP_NET_ADMIN over the namespace, and a kernel
 * with INET_DIAG_DESTROY.
 */
#ifndef SWITCHGEAR_DATAPLANE_SOCKDIAG_H
#define SWITCHGEAR_DATAPLANE_SOCKDIAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "core/kill_target.h"

/* A descriptor for the functions below, good for the namespace it was made in. */
int sockdiag_open(int *ret_fd) MUST_CHECK;

/*
 * 0: it is dead; -ENOENT: there is no socket with these addresses, this cookie and bound
 * to this interface; -EOPNOTSUPP: the kernel cannot. The cookie makes sure that no
 * stranger dies who took over the addresses meanwhile.
 */
int sockdiag_destroy(int fd, const struct sg_kill_target *target) MUST_CHECK;

/* 0: there is this socket; -ENOENT: not by these addresses, this cookie and interface. */
int sockdiag_exists(int fd, const struct sg_kill_target *socket) MUST_CHECK;

/*
 * Has the caller's network namespace a socket of this protocol (IPPROTO_TCP or IPPROTO_UDP)?
 * A listing searches the table of the whole host, 0.3 ms for each namespace; the counters that
 * this asks cost 0.02 ms. True where the kernel does not tell them.
 */
bool sockdiag_any(uint8_t proto) MUST_CHECK;

/*
 * Calls fn with each socket of the caller's network namespace that has a peer, of IPPROTO_TCP,
 * IPPROTO_UDP or IPPROTO_MPTCP: everything but netns, server, note and mptcp is set. like: only
 * those of its family and its ports (0: any); NULL: all. What a closed connection leaves behind
 * until its peer has closed, too, is no socket: it belongs to no process and no cgroup, and
 * nothing can come through it. A result of fn that is not 0 ends the walk and is returned.
 * -ENOENT: the kernel does not know the protocol.
 */
typedef int sockdiag_fn(void *data, const struct sg_kill_target *socket);
int sockdiag_list(uint32_t proto, const struct sg_kill_target *like, sockdiag_fn *fn,
		  void *data) MUST_CHECK;

/* The same of sockets that wait for others at a port (network order): TCP ones that listen, UDP
 * ones without a peer. */
int sockdiag_waiting(uint8_t proto, __be16 port, sockdiag_fn *fn, void *data) MUST_CHECK;

#endif
