/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Strict reading of JSON text, with positions. json-c's own parser does not say
 * where a value stands, keeps the last of two equal keys in silence and is lax
 * about grammar; messages that a person can act on need a line and a column. This
 * scanner checks the grammar, finds duplicate keys, makes json-c's tree, and looks
 * up where a path stands when a message has to be written.
 *
 * Grammar: RFC 8259, and what clients' files have in practice: comments to the end
 * of the line or in blocks, a comma after the last element, a byte order mark in
 * front. The text must be UTF-8 without NUL. Everything is bounded by the text and
 * max_depth.
 */
#ifndef SWITCHGEAR_CODEC_JSONPOS_H
#define SWITCHGEAR_CODEC_JSONPOS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define JSONPOS_DEPTH_MAX 64U

struct json_object;

/* A place in a document: a chain from the leaf to the root, which is NULL. */
struct json_path {
	const struct json_path *up;
	const char *key; /* NULL: an element of an array */
	size_t index;
};

struct jsonpos {
	unsigned int line;   /* from 1; 0: unknown */
	unsigned int column; /* from 1, in characters */
};

struct jsonpos_fault {
	struct jsonpos at;
	char what[160]; /* what is wrong and what to do */
};

/*
 * Reads one well-formed JSON value without duplicate keys, nested no deeper than
 * max_depth (at most JSONPOS_DEPTH_MAX). The caller puts *ret; ret may be NULL.
 * -EBADMSG (grammar, encoding), -EEXIST (a duplicate key), -E2BIG (too deep),
 * each with *ret_fault; -ENOMEM.
 */
int jsonpos_parse(const char *text, size_t len, unsigned int max_depth, struct json_object **ret,
		  struct jsonpos_fault *ret_fault) MUST_CHECK;

/* The same of what machines say to each other: RFC 8259 and nothing else, which is no comments, no
 * comma behind the last element and no byte order mark. Errors are those above. */
int jsonpos_parse_strict(const char *text, size_t len, unsigned int max_depth,
			 struct json_object **ret, struct jsonpos_fault *ret_fault) MUST_CHECK;

/*
 * Where `path` stands in a text that jsonpos_parse() accepted: its key, or its
 * value if `value` is set (elements of arrays: always the value). Line 0 if the
 * text has no such path.
 */
struct jsonpos jsonpos_find(const char *text, size_t len, const struct json_path *path, bool value);

/* "mcpServers.search.fallback[1]"; keys with other characters than letters,
 * digits, '_', '-' and '$' are quoted. */
void json_path_print(const struct json_path *path, struct buf *out);

#endif
