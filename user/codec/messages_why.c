/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/messages_why.h"

#include <stdlib.h>

#include "codec/fields.h"
#include "codec/messages.h"

#define DEPTH_MAX 4U

/* clang-format off */
#define SERVER(key, kind, member, ...) FIELD(key, kind, why_server, member, __VA_ARGS__)
static const struct field server_fields[] = {
	SERVER("server", KIND_TEXT, server),
	SERVER("url", KIND_STRING, url),
	SERVER("verdict", KIND_WORD, verdict, FIELD_WORDS(status_verdict, VERDICT_ALLOW)),
	SERVER("rule", KIND_WORD, rule, FIELD_WORDS(why_rule, WHY_NOTHING)),
	SERVER("because", KIND_TEXT, because, .zero = ZERO_NULL),
	SERVER("by", KIND_TEXT, by, .zero = ZERO_NULL),
	SERVER("since", KIND_TIME, since_wall_ns, .zero = ZERO_NULL),
	SERVER("until", KIND_TIME, until_wall_ns, .none = STATUS_NEVER),
	SERVER("goes", KIND_TEXT, goes, .zero = ZERO_NULL),
	SERVER("agent", KIND_TEXT, agent),
	SERVER("advice", KIND_TEXT, advice, .zero = ZERO_NULL),
	FIELDS_STOP
};

static const struct field why_fields[] = {
	FIELD_LIST(reply_why, servers, server_fields),
	FIELDS_STOP
};
/* clang-format on */

static const struct document why_document = {
	why_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "servers", json_type_array } }
};

void reply_why_done(struct reply_why *r)
{
	for (size_t i = 0; i < r->n_servers; i++)
		free(r->servers[i].url);
	free(r->servers);
	*r = (struct reply_why){ 0 };
}

int reply_why_encode(const struct reply_why *r, enum url_view view, struct buf *out)
{
	return document_encode(&why_document, r, view, out);
}

int reply_why_decode(const char *text, size_t len, struct reply_why *ret)
{
	return document_decode(&why_document, text, len, ret);
}
