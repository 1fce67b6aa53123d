/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A socket that is to die, as the data plane knows it and sock_diag wants it named. */
#ifndef SWITCHGEAR_CORE_VICTIM_H
#define SWITCHGEAR_CORE_VICTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"

struct sg_kill_target {
	uint64_t cookie; /* 0: any socket with these addresses */
	uint64_t netns;  /* cookie of its network namespace */
	uint32_t server;
	uint32_t ifindex;  /* of SO_BINDTODEVICE, 0: none */
	uint8_t local[16]; /* IPv4 v4-mapped */
	uint8_t remote[16];
	__be16 local_port;
	__be16 remote_port;
	uint8_t family; /* of the socket */
	uint8_t proto;
	uint8_t note;    /* what became of it: SG_WALK_ENDED, _STUCK or _LOST; 0: nothing */
	bool mptcp;      /* a subflow: SOCK_DESTROY alone does not end the connection */
	bool gone;       /* out: there was no such socket */
	bool closed;     /* from a listing: by its process; the kernel alone finishes it */
	ino_t inode;     /* from a listing, else 0 */
	uint64_t cgroup; /* from a listing: the id of its cgroup; 0: not known */
};

#endif
