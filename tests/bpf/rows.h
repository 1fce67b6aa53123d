/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Conversations in tables, each on a connection of its own, and what they must lead to. */
#ifndef SWITCHGEAR_TESTS_BPF_ROWS_H
#define SWITCHGEAR_TESTS_BPF_ROWS_H

#include "bpf/one.h"
#include "bpf/outcomes.h"

#define NOTHING .n = 0

static inline void fresh(const struct sg_policy *policy)
{
	talk_end(&talk); /* whatever a failed test left */
	rig_server(dp, policy, NS_PER_SEC);
	events.n = 0;
}

struct row {
	const char *name;
	struct talk_step steps[TALK_STEPS_MAX];
	struct talk_outcome outcomes[TALK_OUTCOMES_MAX];
	size_t n;
	unsigned int requests;
	unsigned int uncounted;  /* outcomes before whose header was complete */
	unsigned int late;       /* answers 200 that came when all was said */
	unsigned int abandon_ms; /* 0: as usual */
	unsigned int timeout_ms;
	unsigned int handshakes; /* of TLS, to their end */
	unsigned int h2;         /* offers of HTTP/2 */
	unsigned int unframed;   /* answers whose chunks cannot be followed */
};

static inline void row_play(const struct row *row)
{
	const struct talk_want want = { .name = row->name,
					.outcomes = row->outcomes,
					.n = row->n,
					.connects = 1,
					.requests = row->requests,
					.late = row->late,
					.handshakes = row->handshakes,
					.h2 = row->h2,
					.unframed = row->unframed,
					.uncounted = row->uncounted };
	struct sg_policy policy = rig_policy();

	if (row->abandon_ms)
		policy.abandon_ns = row->abandon_ms * NS_PER_MS;
	if (row->timeout_ms)
		policy.timeout_ns = row->timeout_ms * NS_PER_MS;
	fresh(&policy);
	talk_play(&talk, row->steps);
	talk_end(&talk);
	talk_expect(&talk, &want, &events);
}

/* All of them, by each of the names that the server has. */
static inline void rows_play(const struct row *rows, size_t n)
{
	for (talk.name = TALK_V4; talk.name < TALK_NAME_COUNT; talk.name++)
		for (size_t i = 0; i < n; i++)
			row_play(&rows[i]);
	talk.name = TALK_V4;
}

#endif
