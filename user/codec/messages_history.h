/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the API tells of a server's past. */
#ifndef SWITCHGEAR_CODEC_MESSAGES_HISTORY_H
#define SWITCHGEAR_CODEC_MESSAGES_HISTORY_H

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"

/* A score and a state, from this time until the next one's. */
struct history_point {
	uint64_t wall_ns;
	double score; /* NAN: none */
	char state[16];
	bool quarantined;
};

struct reply_history {
	char server[SG_NAME_LEN];
	uint64_t from_wall_ns;
	uint64_t to_wall_ns;
	struct history_point *samples; /* oldest first */
	size_t n_samples;
};

void reply_history_done(struct reply_history *r);
int reply_history_encode(const struct reply_history *r, struct buf *out) MUST_CHECK;
/* *ret is all 0 before; reply_history_done() in any case. */
int reply_history_decode(const char *text, size_t len, struct reply_history *ret) MUST_CHECK;

#endif
