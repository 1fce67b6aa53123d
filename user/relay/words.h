/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What agents are told: one text, for models and for people, that says what is not available, why,
 * since when and until when, what else can be used, and whether to try again. */
#ifndef SWITCHGEAR_RELAY_WORDS_H
#define SWITCHGEAR_RELAY_WORDS_H

#include "base/buf.h"
#include "io/relay_wire.h"

/* What went wrong with the server that stands in. */
enum words_trouble {
	WORDS_NO_TROUBLE, /* there is none, or it is not about that one */
	WORDS_UNREACHED,  /* no connection to it; nothing was sent */
	WORDS_LOST,       /* it ended while the call was under way */
	WORDS_SILENT,     /* it did not answer in time */
	WORDS_REFUSED,    /* it wants credentials, which are not shared */
	WORDS_SESSION,    /* it begins no session */
	WORDS_GARBLED,    /* what it says is no HTTP, or sends agents elsewhere */
	WORDS_WAS_THERE,  /* the call was under way at the server that is not available now */
	WORDS_TROUBLE_COUNT
};

void words_put(const struct relay_rule *rule, enum words_trouble trouble, struct buf *out);

#endif
