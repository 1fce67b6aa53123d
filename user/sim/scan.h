/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A strict scanner for one JSON object on one line: the members that the caller
 * names, as they stand in the text, nothing copied or allocated. Grammar is RFC
 * 8259, UTF-8; members that nobody asked for are checked and passed over, nested
 * ones too. Built for a million lines a second.
 */
#ifndef SWITCHGEAR_SIM_SCAN_H
#define SWITCHGEAR_SIM_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define SCAN_DEPTH_MAX 32U /* of values that are passed over */

enum scan_type {
	SCAN_ABSENT,
	SCAN_NULL,
	SCAN_FALSE,
	SCAN_TRUE,
	SCAN_NUMBER,
	SCAN_TEXT, /* raw is what stands between the quotes: json_decode() */
	SCAN_OBJECT,
	SCAN_LIST,
};

struct scan_value {
	const char *raw;
	size_t len;
	size_t at;     /* bytes from the beginning of the line to the value */
	size_t key_at; /* and to its key */
	enum scan_type type;
	bool escaped; /* TEXT: holds backslashes */
};

struct scan_key {
	const char *name;
	uint8_t len;
};

struct scan_fault {
	size_t at;
	char what[200]; /* what is wrong and what to do */
};

/* Sets the fault; -EBADMSG. */
int scan_complain(struct scan_fault *fault, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * Reads `line` into values[n] as keys[n] say; all others stay SCAN_ABSENT.
 * -EBADMSG with *ret_fault: no such object, or one of the keys twice.
 */
int scan_object(const char *line, size_t len, const struct scan_key *keys, size_t n,
		struct scan_value *values, struct scan_fault *ret_fault) MUST_CHECK;

/* A NUMBER times 10^9, rounded half up, without a detour through binary
 * fractions. -ERANGE: negative or above max. */
int scan_nano(const struct scan_value *v, uint64_t max, uint64_t *ret) MUST_CHECK;

/* Column, in characters from 1, of a byte of the line. */
size_t scan_column(const char *line, size_t at);

const char *scan_type_name(enum scan_type type); /* "text", "a number", ... */

#endif
