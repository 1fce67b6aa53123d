/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Structs as JSON: a table with one row per member, by which it is written and
 * read. Rows stand in the order of the members. Reading is that of jsonget.h: what
 * is missing or of another type reads as 0, "", NULL or what the row says.
 */
#ifndef SWITCHGEAR_CODEC_FIELDS_H
#define SWITCHGEAR_CODEC_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/jsonget.h"
#include "codec/jsonw.h"

#define FIELDS_LIST_MAX 65536U /* elements that are read */

enum field_holds {
	KIND_BOOL,
	KIND_UINT16, /* what is too large reads as 0 */
	KIND_UINT32, /* and here as the most that fits */
	KIND_UINT64,
	KIND_COUNT, /* uint32_t that may be UINT32_MAX, not counted: null, also what it cannot be */
	KIND_NUMBER, /* double; NAN is null */
	KIND_SPAN,   /* uint64_t: ns, in JSON seconds. Without: `none` */
	KIND_LEFT,   /* the same; null is for ever, UINT64_MAX. Without: 0 */
	KIND_MS,     /* uint64_t: ns, in JSON milliseconds with three decimals at most */
	KIND_TIME,   /* uint64_t: wall ns, in JSON a date; UINT64_MAX is null. Without: `none` */
	KIND_WORD,   /* enum; a word that is unknown: `none` */
	KIND_TEXT,   /* char[] */
	KIND_STRING, /* char *, owned; NULL is null */
	KIND_LIST,   /* pointer to elements, owned; their number is at `length` */
	KIND_OTHER,  /* what `write` and `read` know */
	KIND_OBJECT, /* of the rows up to KIND_END, not in another. A bool: was it there? */
	KIND_END,
	KIND_STOP /* the end of the table */
};

/* How a member is written that is `none`; a KIND_TEXT: that is empty. */
enum field_zero {
	ZERO_SHOWN, /* like any other */
	ZERO_NULL,
	ZERO_OMITTED
};

struct field {
	const char *key;
	enum field_holds holds;
	enum field_zero zero;
	size_t offset;
	size_t size; /* of the member; KIND_LIST: of an element */
	uint64_t none;
	const char *(*name)(unsigned int value);
	int (*value)(const char *name);
	const struct field *fields; /* of an element; NULL: elements are texts, char * */
	size_t length;
	void (*write)(struct jsonw *w, const char *key, const void *member);
	void (*read)(const struct json_object *obj, const char *key, void *member);
};

#define FIELD(name, kind, type, member, ...)                                         \
	{                                                                            \
		.key = name, .holds = kind, .offset = offsetof(struct type, member), \
		.size = sizeof(((struct type *)0)->member), __VA_ARGS__              \
	}
/* Of a KIND_WORD, as the last argument of FIELD(). */
#define FIELD_WORDS(noun, fallback) .name = noun##_name, .value = noun##_from_name, .none = fallback
/* Members `list` and `n_list`. */
#define FIELD_LIST(type, list, table)                                                    \
	{                                                                                \
		.key = #list, .holds = KIND_LIST, .offset = offsetof(struct type, list), \
		.size = sizeof(((struct type *)0)->list[0]), .fields = table,            \
		.length = offsetof(struct type, n_##list)                                \
	}
#define FIELD_OBJECT(name)                        \
	{                                         \
		.key = name, .holds = KIND_OBJECT \
	}
#define FIELD_END                 \
	{                         \
		.holds = KIND_END \
	}
#define FIELDS_STOP                \
	{                          \
		.holds = KIND_STOP \
	}

/* The members, into the object that is open. */
void fields_write(struct jsonw *w, const struct field *f, const void *from);
/* Sets every member of the table. obj may be NULL: all is missing. -ENOMEM, which only strings and
 * lists can cause: *to holds what was read so far. */
int fields_read(const struct json_object *obj, const struct field *f, void *to);

/* The first key of obj that the table does not have, or whose value is not of its kind (a negative
 * number is of none); NULL without one. fields_read() takes all of them: this is for who must know. */
const char *fields_strange(struct json_object *obj, const struct field *f);

/* A text that is one object of a table. */
struct document {
	const struct field *fields;
	size_t max; /* bytes that are read */
	unsigned int depth;
	struct {
		const char *key;
		enum json_type type;
	} needed[2]; /* members without which it is no such document */
};

/* Appends it without line break; buf_error(). */
int document_encode(const struct document *d, const void *from, enum url_view view,
		    struct buf *out) MUST_CHECK;
/* -EBADMSG for what is no such document; -ENOMEM as fields_read(). *to is all 0 before. */
int document_decode(const struct document *d, const char *text, size_t len, void *to) MUST_CHECK;

#endif
