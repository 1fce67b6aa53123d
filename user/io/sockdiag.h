/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Destroying one socket by netlink (SOCK_DESTROY), for kernels whose BPF cannot:
 * in the caller's network namespace, by its addresses and ports. The owner reads
 * ECONNABORTED, the peer gets a reset, as with bpf_sock_destroy().
 */
#ifndef SWITCHGEAR_IO_SOCKDIAG_H
#define SWITCHGEAR_IO_SOCKDIAG_H

#include "abi.h"
#include "base/cleanup.h"

/* 0: it is dead; -ENOENT: it was gone already; -EOPNOTSUPP: the kernel cannot. */
int sockdiag_destroy(const struct sg_victim *victim) MUST_CHECK;

#endif
