/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How often each of many users may do something: QUOTA_TIMES within QUOTA_NS. Memory is bounded:
 * who comes while QUOTA_USERS others have done it within that time waits for one of them.
 */
#ifndef SWITCHGEAR_CORE_QUOTA_H
#define SWITCHGEAR_CORE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_TIMES 10U
#define QUOTA_NS 60000000000ULL
#define QUOTA_USERS 64U

struct quota_user {
	uint32_t uid;
	uint32_t n;                  /* times ever; 0: free */
	uint64_t at_ns[QUOTA_TIMES]; /* the latest, at n % QUOTA_TIMES the oldest of them */
};

struct quota { /* zeroes: nobody yet */
	struct quota_user users[QUOTA_USERS];
};

/* 0: counted, it may; else in how many ns to ask again, and nothing has changed. Times never go
 * back. */
uint64_t quota_take(struct quota *q, uint32_t uid, uint64_t now_ns);

#endif
