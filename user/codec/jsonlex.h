/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lexical parts of JSON (RFC 8259), for the scanner of documents (jsonpos.h)
 * and that of simulate's lines (sim/scan.h): each has its own structure and its
 * own words for what is wrong. Nothing is read at or behind `end`.
 */
#ifndef SWITCHGEAR_CODEC_JSONLEX_H
#define SWITCHGEAR_CODEC_JSONLEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Bytes of a byte order mark in front of the text: 0 or 3. */
size_t json_bom(const char *text, size_t len);

enum json_lex {
	JSON_GOOD,
	JSON_ENDLESS, /* no closing quote */
	JSON_CONTROL, /* a control character */
	JSON_ESCAPE,  /* no such escape */
	JSON_HEX,     /* \u without four digits */
};

/* A string from behind its opening quote: *p is left at the closing one, or at what is wrong.
 * Adds to *escaped and *wide if there are escapes and bytes above ASCII; checks no UTF-8. */
enum json_lex json_string(const char **p, const char *end, bool *escaped, bool *wide);

/* A number from its first character; *p is left behind it, or somewhere in it if it is none. */
bool json_number(const char **p, const char *end) MUST_CHECK;

/* The next character of a string that json_string() passed, p < end. Half a surrogate pair is
 * U+FFFD, as json-c reads it. -1 for what is not UTF-8. */
int32_t json_next(const char **p, const char *end);

/* All characters of such a string, no terminator; out may be as long as the string at most.
 * -EMSGSIZE if they are longer than size. */
int json_decode(const char *raw, size_t len, char *out, size_t size, size_t *ret_len) MUST_CHECK;

#endif
