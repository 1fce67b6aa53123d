/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a server offers, as a list of digests: of each tool its name, and SHA-256 of description,
 * input schema and annotations in canonical form (jsoncanon.h). What else a tool has (title,
 * output schema, icons, _meta) does not count. The order of the tools does not matter, nor that of
 * keys, nor into how many pages the list was cut.
 *
 * Two lists with the same digest are the same; of two others tools_diff() tells what changed.
 */
#ifndef SWITCHGEAR_CODEC_TOOLS_H
#define SWITCHGEAR_CODEC_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/digest.h"

#define TOOLS_MAX 1024U
#define TOOLS_PAGES_MAX 64U
#define TOOLS_BYTES_MAX (2U << 20) /* of all answers with pages of one list */
#define TOOLS_TEXT_MAX (8U << 20)  /* of an encoded answer: all of the below, escaped */
#define TOOLS_LISTING_MAX (1U << 20)
#define TOOL_NAME_MAX 256U
#define TOOLS_CURSOR_MAX 1024U
#define TOOLS_VERSION_LEN 64U
#define TOOLS_WHY_LEN 160U
#define TOOLS_DIGEST_LEN 65U /* in hexadecimal digits, with its end */

enum tool_field {
	TOOL_DESCRIPTION,
	TOOL_INPUT_SCHEMA,
	TOOL_ANNOTATIONS,
	TOOL_FIELD_COUNT
};

struct tool {
	char *name;                             /* owned; UTF-8, foreign text */
	struct digest fields[TOOL_FIELD_COUNT]; /* all zero: it has none */
};

/* All zero: empty, to begin with. */
struct tools {
	struct tool *v; /* after tools_close(): sorted */
	size_t n;
	struct digest digest; /* after tools_close() */
};

void tools_done(struct tools *t);

struct json_object;

/*
 * Adds what a result of tools/list holds; *ret_cursor, the caller's, asks for the page behind it,
 * NULL: there is none. -EINVAL, -E2BIG: it is no such list, or too much, with one sentence in why;
 * -ENOMEM.
 */
int tools_add(struct tools *t, const struct json_object *result, char **ret_cursor,
	      char why[TOOLS_WHY_LEN]) MUST_CHECK;
/* The same as text, page by page, into a buffer of TOOLS_LISTING_MAX; its error says that it was too
 * much. */
void tools_listing_add(struct buf *listing, const struct json_object *result);
/* After the last page: sorts, and computes the digest. -ENOMEM. */
int tools_close(struct tools *t) MUST_CHECK;
int tools_copy(const struct tools *t, struct tools *ret) MUST_CHECK; /* -ENOMEM */
bool tools_equal(const struct tools *a, const struct tools *b);
/* Returns out. */
char *tools_hex(const struct tools *t, char out[TOOLS_DIGEST_LEN]);

enum tool_change_kind {
	TOOL_CHANGED,
	TOOL_ADDED,
	TOOL_REMOVED,
	TOOL_CHANGE_COUNT
};

struct tool_change {
	enum tool_change_kind kind;
	const char *name;    /* borrowed from one of the lists */
	unsigned int fields; /* CHANGED: bits, 1 << enum tool_field */
};

const char *tool_change_name(unsigned int kind); /* "changed", "added", "removed" */
/* "description, input schema"; returns out. */
char *tool_fields_print(unsigned int fields, char *out, size_t size);

/* Writes the first `max` changes, by name, and returns how many there are. */
size_t tools_diff(const struct tools *before, const struct tools *after, struct tool_change *ret,
		  size_t max);
/* "add: description; new: b; gone: c; 3 more", as far as it fits; returns out. */
char *tools_diff_print(const struct tools *before, const struct tools *after, char *out,
		       size_t size);

struct jsonw;

/* As a list of objects, and back. -EBADMSG: it is none of ours; -ENOMEM. */
void tools_write(const struct tools *t, const char *key, struct jsonw *w);
int tools_read(const struct json_object *list, struct tools *ret) MUST_CHECK;

/* --- what a server answers ------------------------------------------------------------------ */

/* A list, or why there is none. */
struct tools_answer {
	bool listed;
	char version[TOOLS_VERSION_LEN]; /* serverInfo.version; "": it tells none */
	char why[TOOLS_WHY_LEN];         /* unless listed */
	struct tools tools;              /* if listed, closed */
	/* The tools as the server tells them, a JSON array; "" if it is too long to be kept. Foreign
	 * text, which nobody but a process without rights should parse. */
	struct buf listing;
};

void tools_answer_done(struct tools_answer *a);
/* One JSON object, from the process that asks to the one that compares; buf_error(). */
int tools_answer_encode(const struct tools_answer *a, struct buf *out) MUST_CHECK;
/* -EBADMSG: it is none; -ENOMEM. *ret is all 0 before. Control characters in version and why are
 * '_' from then on. */
int tools_answer_decode(const char *text, size_t len, struct tools_answer *ret) MUST_CHECK;

#endif
