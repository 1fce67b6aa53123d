/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the API says to whoever asks why a connect was refused, or went elsewhere (core/why.h). */
#ifndef SWITCHGEAR_CODEC_MESSAGES_WHY_H
#define SWITCHGEAR_CODEC_MESSAGES_WHY_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/url.h"
#include "core/status.h"
#include "core/why.h"

struct why_server {
	char server[SG_NAME_LEN];
	char *url;        /* owned; NULL: none */
	uint32_t verdict; /* enum status_verdict: what a connect gets now */
	uint32_t rule;    /* enum why_rule */
	char because[WHY_TEXT_LEN];
	char by[STATUS_BY_LEN];
	uint64_t since_wall_ns; /* 0: not known */
	uint64_t until_wall_ns; /* STATUS_NEVER: nobody knows */
	char goes[SG_NAME_LEN]; /* the server that stands in; "": none */
	char agent[256];        /* what an agent that connects sees */
	char advice[256];       /* what to do */
};

struct reply_why {
	struct why_server *servers; /* those that are meant; none: nothing of ours is in the way */
	size_t n_servers;
};

void reply_why_done(struct reply_why *r);
int reply_why_encode(const struct reply_why *r, enum url_view view, struct buf *out) MUST_CHECK;
/* *ret is all 0 before; reply_why_done() in any case. */
int reply_why_decode(const char *text, size_t len, struct reply_why *ret) MUST_CHECK;

#endif
