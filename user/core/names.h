/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words by which enumerations of headers/ are known outside: in JSON, in
 * metrics, in logs. They are part of the contract: append, never change.
 *
 * X_name() never returns NULL: a value out of range is "unknown".
 * X_from_name() returns the value, or -EINVAL for a word it does not know
 * ("unknown" is one of those).
 */
#ifndef SWITCHGEAR_CORE_NAMES_H
#define SWITCHGEAR_CORE_NAMES_H

#include <stddef.h>

#include "abi.h"
#include "base/cleanup.h"

const char *state_name(unsigned int state);   /* enum sg_state: "closed", "half_open", ... */
const char *reason_name(unsigned int reason); /* enum sg_reason: "consecutive", "none", ... */
const char *class_name(unsigned int class);   /* enum sg_class: "success", "hard", ... */
const char *cause_name(unsigned int cause);   /* enum sg_cause: "refused", "timeout", ... */

int state_from_name(const char *name) MUST_CHECK;
int reason_from_name(const char *name) MUST_CHECK;
int class_from_name(const char *name) MUST_CHECK;
int cause_from_name(const char *name) MUST_CHECK;

/* The same for a table of one's own. */
const char *name_of(const char *const *table, size_t count, unsigned int value);
int value_of(const char *const *table, size_t count, const char *name) MUST_CHECK;

/* Defines X_name() and X_from_name() by a table; a value without a name does not compile. */
#define NAME_FUNCTIONS(X, type, table, count)                                  \
	_Static_assert(ARRAY_SIZE(table) == (count), #table " misses a name"); \
	const char *X##_name(type value)                                       \
	{                                                                      \
		return name_of(table, ARRAY_SIZE(table), value);               \
	}                                                                      \
	int X##_from_name(const char *name)                                    \
	{                                                                      \
		return value_of(table, ARRAY_SIZE(table), name);               \
	}

#endif
