/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events, one JSON object each: a call as simulate reads it, or an `event`. Both
 * directions go by the list of fields in core/event.c.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonw.h"
#include "codec/messages.h"
#include "core/event.h"

#define EVENT_SIZE_MAX 8192U
#define EVENT_DEPTH_MAX 8U

static bool has(const struct event_field *f, enum event_type type)
{
	return f->types & 1U << type;
}

/* --- writing ------------------------------------------------------------------- */

/* A member that holds a whole number, whatever its width. */
static uint64_t whole(const struct event_field *f, const void *member)
{
	switch (f->size) {
	case sizeof(bool):
		return *(const bool *)member;
	case sizeof(uint16_t):
		return *(const uint16_t *)member;
	case sizeof(uint32_t):
		return *(const uint32_t *)member;
	default:
		return *(const uint64_t *)member;
	}
}

static bool is_none(const struct event_field *f, const void *member)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return !*(const char *)member;
	case FIELD_RATE:
		return !isfinite(*(const double *)member);
	default:
		return whole(f, member) == f->none;
	}
}

/* Seconds since boot are exact: a double holds ns only for the first 104 days. */
static void write_field(struct jsonw *w, const struct event_field *f, const void *member)
{
	if (f->write != AS_IS && is_none(f, member)) {
		if (f->write == AS_NULL)
			jsonw_null(w, f->key);
		return;
	}
	switch (f->kind) {
	case FIELD_TEXT:
		jsonw_text(w, f->key, member);
		return;
	case FIELD_NUMBER:
	case FIELD_COUNT:
		jsonw_uint(w, f->key, whole(f, member));
		return;
	case FIELD_RATE:
		jsonw_double(w, f->key, *(const double *)member);
		return;
	case FIELD_SPAN:
		jsonw_seconds(w, f->key, whole(f, member));
		return;
	case FIELD_TIME:
		jsonw_time(w, f->key, whole(f, member));
		return;
	case FIELD_WORD:
		jsonw_text(w, f->key, f->word((unsigned int)whole(f, member)));
		return;
	case FIELD_BOOL:
		jsonw_bool(w, f->key, whole(f, member));
		return;
	}
}

int event_encode(const struct event *e, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	for (size_t i = 0; i < n_event_fields; i++) {
		if (has(&event_fields[i], e->type))
			write_field(&w, &event_fields[i], (const char *)e + event_fields[i].offset);
	}
	jsonw_object_end(&w);
	return buf_error(out);
}

/* --- reading ------------------------------------------------------------------- */

static int read_type(const struct json_object *obj, enum event_type *ret)
{
	const char *op = jget_text(obj, "op", NULL);
	const char *name = jget_text(obj, "event", NULL);
	int type;

	if (!op && !name)
		return -EBADMSG;
	if (!name && strcmp(op, "call"))
		return -ENOTSUP;
	type = event_type_from_name(name ? name : op);
	if (type < 0 || (name && type == EVENT_CALL))
		return -ENOTSUP;
	*ret = (enum event_type)type;
	return 0;
}

/* What does not fit reads as the most that fits. */
static void set_whole(const struct event_field *f, void *member, uint64_t value)
{
	switch (f->size) {
	case sizeof(bool):
		*(bool *)member = value;
		return;
	case sizeof(uint16_t):
		*(uint16_t *)member = value < UINT16_MAX ? (uint16_t)value : UINT16_MAX;
		return;
	case sizeof(uint32_t):
		*(uint32_t *)member = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
		return;
	default:
		*(uint64_t *)member = value;
		return;
	}
}

static void read_field(const struct json_object *obj, const struct event_field *f, void *member)
{
	int value;

	switch (f->kind) {
	case FIELD_TEXT:
		jget_copy(obj, f->key, member, f->size);
		return;
	case FIELD_RATE:
		*(double *)member = jget_double(obj, f->key, NAN);
		return;
	case FIELD_NUMBER:
		set_whole(f, member, jget_uint(obj, f->key, f->none));
		return;
	case FIELD_COUNT:
		set_whole(f, member, jget_count(obj, f->key));
		return;
	case FIELD_SPAN:
		set_whole(f, member, jget_seconds(obj, f->key, f->none));
		return;
	case FIELD_TIME:
		set_whole(f, member, jget_time(obj, f->key, f->none));
		return;
	case FIELD_WORD:
		value = f->value(jget_text(obj, f->key, ""));
		set_whole(f, member, value < 0 ? f->none : (uint64_t)value);
		return;
	case FIELD_BOOL:
		set_whole(f, member, jget_bool(obj, f->key, f->none));
		return;
	}
}

int event_decode(const char *text, size_t len, struct event *ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	enum event_type type;
	int r;

	if (len > EVENT_SIZE_MAX)
		return -EBADMSG;
	r = json_parse(text, len, EVENT_DEPTH_MAX, &root);
	if (!r)
		r = read_type(root, &type);
	if (r)
		return r;
	event_init(ret, type);
	for (size_t i = 0; i < n_event_fields; i++) {
		if (has(&event_fields[i], type))
			read_field(root, &event_fields[i], (char *)ret + event_fields[i].offset);
	}
	return 0;
}
