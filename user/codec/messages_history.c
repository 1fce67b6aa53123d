/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/messages_history.h"

#include "codec/fields.h"
#include "codec/messages.h"

/* clang-format off */
#define POINT(key, kind, member, ...) FIELD(key, kind, history_point, member, __VA_ARGS__)
static const struct field point_fields[] = {
	POINT("time", KIND_TIME, wall_ns),
	POINT("score", KIND_NUMBER, score),
	POINT("state", KIND_TEXT, state),
	POINT("quarantined", KIND_BOOL, quarantined),
	FIELDS_STOP
};

static const struct field history_fields[] = {
	FIELD("server", KIND_TEXT, reply_history, server),
	FIELD("from", KIND_TIME, reply_history, from_wall_ns),
	FIELD("to", KIND_TIME, reply_history, to_wall_ns),
	FIELD_LIST(reply_history, samples, point_fields),
	FIELDS_STOP
};
/* clang-format on */

static const struct document document = {
	history_fields, REPLY_SIZE_MAX, 4, { { "samples", json_type_array } }
};

void reply_history_done(struct reply_history *r)
{
	free(r->samples);
	*r = (struct reply_history){ 0 };
}

int reply_history_encode(const struct reply_history *r, struct buf *out)
{
	return document_encode(&document, r, URL_MASKED, out);
}

int reply_history_decode(const char *text, size_t len, struct reply_history *ret)
{
	return document_decode(&document, text, len, ret);
}
