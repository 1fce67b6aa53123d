/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ending what SOCK_DESTROY does not end: MPTCP connections, whose owner hears for
 * net.mptcp.close_timeout (60 s) nothing of subflows that were destroyed, and any
 * socket where the kernel is built without it.
 *
 * Fail-open: what could not be ended goes on, the result says so, and the caller
 * goes on dropping its packets. Everything here blocks; how long is said below.
 */
#ifndef SWITCHGEAR_DATAPLANE_ENDSOCK_H
#define SWITCHGEAR_DATAPLANE_ENDSOCK_H

#include <sys/types.h>

#include "base/cleanup.h"
#include "core/kill_target.h"

/*
 * Disconnects the socket with this inode, whatever its network namespace, as its
 * owner could by connect() with AF_UNSPEC: through a descriptor that some process
 * has of it (/proc/PID/fd), which is fetched by pidfd_getfd(2). Needs CAP_SYS_PTRACE
 * and a /proc that shows that process.
 *
 * TCP, MPTCP: the peer gets a reset; the owner's waiting or next recv() fails or is
 * at the end of the stream, its next send() fails. Where the kernel does not
 * disconnect while a thread waits (TCP on 5.10), both ends see the end of the stream
 * before. A listener stops listening. UDP: the socket only loses its peer; it stays
 * open, a waiting recv() waits on, and datagrams of anybody reach it.
 *
 * 0: done. -ENOENT: nobody holds it: it is closed, on its way in a message, or held
 * by an io_uring or the kernel alone. -EPERM: the same, but some process could not be
 * looked into or its descriptor not be taken. -E2BIG: not found among 200,000
 * descriptors. -EBUSY: the kernel refuses. Else -errno.
 * Measured: 2 us a descriptor of the host; 25 ms for 500 processes with 20 each.
 */
int endsock_inode(ino_t inode) MUST_CHECK;

/*
 * Ends the MPTCP connection to which this TCP subflow belongs, or belonged: addresses
 * (IPv4 v4-mapped), ports and family are used, in the caller's network namespace. Any
 * subflow will do, and all of them end with it. A plain TCP connection with these
 * addresses ends as well. Needs CAP_NET_ADMIN in the namespace.
 *
 * First by endsock_inode(); if that fails, whatever the reason, by destroying every
 * subflow while net.mptcp.close_timeout of this namespace is 0, which it is until the
 * connection is gone, for 50 ms at most; then it is what it was before. Other
 * connections of the namespace that lose their last subflow in this time end at once,
 * too. If this process is killed in this time, it stays 0.
 *
 * 0: ended, all of it. -ENOENT: there is no such connection. -EOPNOTSUPP, -EROFS,
 * -EACCES: there is no such limit (kernels before 6.7), or it may not be changed, and
 * it matters (the server does speak MPTCP); the subflows are destroyed all the same,
 * and the owner hears of it after 60 s. -EOPNOTSUPP also where the kernel has neither
 * SOCK_DESTROY nor a list of MPTCP connections.
 * -ETIMEDOUT: as these, for a connection without subflows: its limit runs already.
 * Else -errno. Never ends anybody else's connection: what is found is compared once
 * more before it is ended.
 * Measured with few sockets and processes: 1.5 ms by a descriptor, 3-7 ms by the limit;
 * listing 50,000 sockets takes 30 ms each time.
 */
int endsock_mptcp(const struct sg_kill_target *subflow) MUST_CHECK;

#endif
