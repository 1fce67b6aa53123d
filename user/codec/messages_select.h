/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the API says to whoever asks which server to use (core/select.h). */
#ifndef SWITCHGEAR_CODEC_MESSAGES_SELECT_H
#define SWITCHGEAR_CODEC_MESSAGES_SELECT_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/url.h"
#include "core/status.h"

struct select_server {
	char server[SG_NAME_LEN];
	char *url; /* owned; NULL: none */
	bool usable;
	char reason[160];  /* what speaks for it or against it */
	uint32_t state;    /* enum sg_state */
	double score;      /* NAN: none */
	double latency_ms; /* median; NAN: not known */
};

/* Reply to select. */
struct reply_select {
	char server[SG_NAME_LEN]; /* the one to use; "": there is none, null */
	char reason[160];
	struct select_server *alternatives; /* all of them, the one to use too, in their order */
	size_t n_alternatives;
};

void reply_select_done(struct reply_select *r);
int reply_select_encode(const struct reply_select *r, enum url_view view,
			struct buf *out) MUST_CHECK;
/* *ret is all 0 before; reply_select_done() in any case. */
int reply_select_decode(const char *text, size_t len, struct reply_select *ret) MUST_CHECK;

/* One capability: a group of servers that stand in for each other, or a server that is in none. */
struct capability {
	char name[SG_NAME_LEN]; /* of the group or server */
	bool available;
	char server[SG_NAME_LEN]; /* the one to use; "": null */
	char reason[160];         /* why not, or what speaks for that one */
	uint64_t until_wall_ns;   /* when it may be available again; STATUS_NEVER: nobody knows */
};

struct reply_capabilities {
	struct capability *capabilities;
	size_t n_capabilities;
};

void reply_capabilities_done(struct reply_capabilities *r);
int reply_capabilities_encode(const struct reply_capabilities *r, struct buf *out) MUST_CHECK;

#endif
