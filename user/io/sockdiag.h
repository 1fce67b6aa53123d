/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listing TCP sockets and destroying one by netlink (SOCK_DESTROY), for kernels
 * whose BPF cannot: in the caller's network namespace, by its addresses and ports. The owner reads
 * ECONNABORTED, the peer gets a reset, as with bpf_sock_destroy().
 */
#ifndef SWITCHGEAR_IO_SOCKDIAG_H
#define SWITCHGEAR_IO_SOCKDIAG_H

#include "abi.h"
#include "base/cleanup.h"

/* 0: it is dead; -ENOENT: it was gone already; -EOPNOTSUPP: the kernel cannot. */
int sockdiag_destroy(const struct sg_victim *victim) MUST_CHECK;

/*
 * Calls fn with each TCP socket of the caller's network namespace that has a
 * peer: family, proto, addresses (IPv4 v4-mapped), ports and cookie are set. A
 * result of fn that is not 0 ends the walk and is returned.
 */
int sockdiag_tcp(int (*fn)(void *data, const struct sg_victim *socket), void *data) MUST_CHECK;

#endif
