/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/fields.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How each kind of member is written, and how it is read. */
/* clang-format off */
#define IT(type) (*(type *)member)
#define NULL_OR(put) IT(uint64_t) == UINT64_MAX ? jsonw_null(w, f->key) : put(w, f->key, IT(uint64_t))
#define KINDS(X) \
	X(BOOL, jsonw_bool(w, f->key, IT(bool)), IT(bool) = jget_bool(obj, f->key, false)) \
	X(UINT16, jsonw_uint(w, f->key, IT(uint16_t)), IT(uint16_t) = get_u16(obj, f->key)) \
	X(UINT32, jsonw_uint(w, f->key, IT(uint32_t)), IT(uint32_t) = jget_u32(obj, f->key)) \
	X(UINT64, jsonw_uint(w, f->key, IT(uint64_t)), IT(uint64_t) = jget_uint(obj, f->key, 0)) \
	X(COUNT, jsonw_count(w, f->key, IT(uint32_t)), IT(uint32_t) = jget_count(obj, f->key)) \
	X(NUMBER, jsonw_double(w, f->key, IT(double)), IT(double) = jget_double(obj, f->key, NAN)) \
	X(SPAN, jsonw_seconds(w, f->key, IT(uint64_t)), IT(uint64_t) = jget_seconds(obj, f->key, f->none)) \
	X(LEFT, NULL_OR(jsonw_seconds), IT(uint64_t) = get_left(obj, f->key)) \
	X(MS, write_ms(w, f->key, IT(uint64_t)), IT(uint64_t) = get_ms(obj, f->key)) \
	X(TIME, NULL_OR(jsonw_time), IT(uint64_t) = jget_time(obj, f->key, f->none)) \
	X(WORD, jsonw_text(w, f->key, f->name(IT(unsigned int))), IT(unsigned int) = get_word(obj, f)) \
	X(TEXT, jsonw_text(w, f->key, member), jget_copy(obj, f->key, member, f->size)) \
	X(STRING, jsonw_text(w, f->key, IT(char *)), r = get_string(jget(obj, f->key), &IT(char *))) \
	X(LIST, write_list(w, f, base), r = read_list(jget_list(obj, f->key), f, base)) \
	X(OTHER, f->write(w, f->key, member), f->read(obj, f->key, member)) \
	X(OBJECT, jsonw_object(w, f->key), if (f->size == sizeof(bool)) IT(bool) = jget_object(obj, f->key)) \
	X(END, jsonw_object_end(w), ) \
	X(STOP, , )
/* clang-format on */

/* --- writing --------------------------------------------------------------------- */

static void write_ms(struct jsonw *w, const char *key, uint64_t ns)
{
	uint64_t us = ns / 1000;

	jsonw_double(w, key, (double)us / 1000);
}

static void write_list(struct jsonw *w, const struct field *f, const char *base)
{
	const char *element;

	memcpy(&element, base + f->offset, sizeof(element));
	jsonw_list(w, f->key);
	for (size_t n = *(const size_t *)(base + f->length); n; n--, element += f->size) {
		if (f->fields) {
			jsonw_object(w, NULL);
			fields_write(w, f->fields, element);
			jsonw_object_end(w);
		} else {
			jsonw_text(w, NULL, *(char *const *)element);
		}
	}
	jsonw_list_end(w);
}

static void write_field(struct jsonw *w, const struct field *f, const char *base)
{
	const void *member = base + f->offset;

	switch (f->holds) {
#define WRITE(kind, put, get) \
	case KIND_##kind:     \
		put;          \
		return;
		KINDS(WRITE)
#undef WRITE
	}
}

/* A `none` that is not 0 is only compared with members as wide as it is. */
static bool is_none(const struct field *f, const char *member)
{
	return f->holds == KIND_TEXT ? !*member : !memcmp(member, &f->none, f->size);
}

void fields_write(struct jsonw *w, const struct field *f, const void *from)
{
	const char *base = from;

	for (; f->holds != KIND_STOP; f++) {
		if (f->zero == ZERO_SHOWN || !is_none(f, base + f->offset)) {
			write_field(w, f, base);
			continue;
		}
		if (f->zero == ZERO_NULL)
			jsonw_null(w, f->key);
		if (f->holds == KIND_OBJECT)
			while (f->holds != KIND_END)
				f++;
	}
}

/* --- reading --------------------------------------------------------------------- */

static uint16_t get_u16(const struct json_object *obj, const char *key)
{
	uint64_t value = jget_uint(obj, key, 0);

	return value <= UINT16_MAX ? (uint16_t)value : 0;
}

static uint64_t get_left(const struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;
	bool there = json_object_is_type(obj, json_type_object) &&
		     json_object_object_get_ex(obj, key, &value);

	return there && !value ? UINT64_MAX : jget_seconds(obj, key, 0);
}

static uint64_t get_ms(const struct json_object *obj, const char *key)
{
	return seconds_to_ns(jget_double(obj, key, 0) / 1000);
}

static unsigned int get_word(const struct json_object *obj, const struct field *f)
{
	int value = f->value(jget_text(obj, f->key, ""));

	return value < 0 ? (unsigned int)f->none : (unsigned int)value;
}

static int get_string(struct json_object *text, char **ret)
{
	bool there = json_object_is_type(text, json_type_string);

	*ret = there ? strdup(json_object_get_string(text)) : NULL;
	return there && !*ret ? -ENOMEM : 0;
}

/* What should be a text and is none is left out; other elements read as empty. */
static int read_list(const struct json_object *list, const struct field *f, char *base)
{
	size_t n = list ? json_object_array_length(list) : 0;
	size_t *length = (size_t *)(base + f->length);
	char *element;
	int r = 0;

	n = n < FIELDS_LIST_MAX ? n : FIELDS_LIST_MAX;
	element = calloc(n + 1, f->size);
	if (!element)
		return -ENOMEM;
	memcpy(base + f->offset, &element, sizeof(element));
	for (size_t i = 0; i < n && !r; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (!f->fields && !json_object_is_type(item, json_type_string))
			continue;
		r = f->fields ? fields_read(item, f->fields, element)
			      : get_string(item, (char **)element);
		element += f->size;
		++*length;
	}
	return r;
}

static int read_field(const struct json_object *obj, const struct field *f, char *base)
{
	void *member = base + f->offset;
	int r = 0;

	switch (f->holds) {
#define READ(kind, put, get) \
	case KIND_##kind:    \
		get;         \
		break;
		KINDS(READ)
#undef READ
	}
	return r;
}

int fields_read(const struct json_object *obj, const struct field *f, void *to)
{
	const struct json_object *in = obj;
	int r = 0;

	for (; f->holds != KIND_STOP && !r; f++) {
		r = read_field(in, f, to);
		if (f->holds == KIND_OBJECT)
			in = jget_object(obj, f->key);
		else if (f->holds == KIND_END)
			in = obj;
	}
	return r;
}

/* --- checking -------------------------------------------------------------------- */

static const struct field *row_of(const struct field *f, const char *key)
{
	for (; f->holds != KIND_STOP && f->holds != KIND_END; f++) {
		if (!strcmp(f->key, key))
			return f;
		if (f->holds == KIND_OBJECT)
			while (f->holds != KIND_END)
				f++;
	}
	return NULL;
}

static bool fits(const struct field *f, struct json_object *value)
{
	enum json_type type = json_object_get_type(value);

	switch (f->holds) {
	case KIND_BOOL:
		return type == json_type_boolean;
	case KIND_COUNT:
		if (!value)
			return true;
		/* fall through */
	case KIND_UINT16:
	case KIND_UINT32:
	case KIND_UINT64:
		return type == json_type_int && json_object_get_int64(value) >= 0;
	case KIND_NUMBER:
	case KIND_LEFT:
		if (!value)
			return true;
		/* fall through */
	case KIND_SPAN:
	case KIND_MS:
		return (type == json_type_int || type == json_type_double) &&
		       json_object_get_double(value) >= 0;
	case KIND_TIME:
	case KIND_STRING:
		return !value || type == json_type_string;
	case KIND_WORD:
		return type == json_type_string && f->value(json_object_get_string(value)) >= 0;
	case KIND_TEXT:
		return type == json_type_string;
	case KIND_LIST:
		return type == json_type_array;
	case KIND_OBJECT:
		return !value || type == json_type_object;
	default:
		return true;
	}
}

const char *fields_strange(struct json_object *obj, const struct field *f)
{
	json_object_object_foreach(obj, key, value)
	{
		const struct field *row = row_of(f, key);
		const char *inside = NULL;

		if (!row || !fits(row, value))
			return key;
		if (row->holds == KIND_OBJECT && value)
			inside = fields_strange(value, row + 1);
		if (inside)
			return inside;
	}
	return NULL;
}

/* --- documents ------------------------------------------------------------------- */

int document_encode(const struct document *d, const void *from, enum url_view view, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	w.view = view;
	jsonw_object(&w, NULL);
	fields_write(&w, d->fields, from);
	jsonw_object_end(&w);
	return buf_error(out);
}

int document_decode(const struct document *d, const char *text, size_t len, void *to)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	int r = len > d->max ? -EBADMSG : json_parse(text, len, d->depth, &root);

	for (size_t i = 0; i < ARRAY_SIZE(d->needed) && d->needed[i].key && !r; i++)
		if (!json_object_is_type(jget(root, d->needed[i].key), d->needed[i].type))
			r = -EBADMSG;
	return r ? r : fields_read(root, d->fields, to);
}
