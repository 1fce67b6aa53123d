/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/messages_select.h"

#include "codec/fields.h"
#include "codec/messages.h"
#include "core/names.h"

#define DEPTH_MAX 4U

/* clang-format off */
#define SERVER(key, kind, member, ...) FIELD(key, kind, select_server, member, __VA_ARGS__)
static const struct field server_fields[] = {
	SERVER("server", KIND_TEXT, server),
	SERVER("url", KIND_STRING, url),
	SERVER("usable", KIND_BOOL, usable),
	SERVER("reason", KIND_TEXT, reason),
	SERVER("state", KIND_WORD, state, FIELD_WORDS(state, SG_CLOSED)),
	SERVER("score", KIND_NUMBER, score),
	SERVER("latency_ms", KIND_NUMBER, latency_ms),
	FIELDS_STOP
};

static const struct field select_fields[] = {
	FIELD("server", KIND_TEXT, reply_select, server, .zero = ZERO_NULL),
	FIELD("reason", KIND_TEXT, reply_select, reason),
	FIELD_LIST(reply_select, alternatives, server_fields),
	FIELDS_STOP
};

#define CAPABILITY(key, kind, member, ...) FIELD(key, kind, capability, member, __VA_ARGS__)
static const struct field capability_fields[] = {
	CAPABILITY("name", KIND_TEXT, name),
	CAPABILITY("available", KIND_BOOL, available),
	CAPABILITY("server", KIND_TEXT, server, .zero = ZERO_NULL),
	CAPABILITY("reason", KIND_TEXT, reason),
	CAPABILITY("until", KIND_TIME, until_wall_ns, .none = STATUS_NEVER),
	FIELDS_STOP
};

static const struct field capabilities_fields[] = {
	FIELD_LIST(reply_capabilities, capabilities, capability_fields),
	FIELDS_STOP
};
/* clang-format on */

static const struct document select_document = {
	select_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "alternatives", json_type_array } }
};
static const struct document capabilities_document = {
	capabilities_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "capabilities", json_type_array } }
};

void reply_select_done(struct reply_select *r)
{
	for (size_t i = 0; i < r->n_alternatives; i++)
		free(r->alternatives[i].url);
	free(r->alternatives);
	*r = (struct reply_select){ 0 };
}

int reply_select_encode(const struct reply_select *r, enum url_view view, struct buf *out)
{
	return document_encode(&select_document, r, view, out);
}

int reply_select_decode(const char *text, size_t len, struct reply_select *ret)
{
	return document_decode(&select_document, text, len, ret);
}

void reply_capabilities_done(struct reply_capabilities *r)
{
	free(r->capabilities);
	*r = (struct reply_capabilities){ 0 };
}

int reply_capabilities_encode(const struct reply_capabilities *r, struct buf *out)
{
	return document_encode(&capabilities_document, r, URL_MASKED, out);
}
