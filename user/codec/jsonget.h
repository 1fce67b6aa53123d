/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading json-c trees tolerantly: a member that is missing, null or of another
 * type reads as the fallback. For documents of our own making, in which later
 * versions may add members. References are borrowed; one json_putp per root.
 */
#ifndef SWITCHGEAR_CODEC_JSONGET_H
#define SWITCHGEAR_CODEC_JSONGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/cleanup.h"

static inline void json_putp(struct json_object **obj)
{
	json_object_put(*obj);
}

/*
 * Parses one value, comments and a byte order mark allowed, nothing behind it
 * but space and comments. -EBADMSG if it is not JSON in UTF-8 or nested too
 * deep, -ENOMEM. The caller puts *ret.
 */
int json_parse(const char *text, size_t len, unsigned int max_depth,
	       struct json_object **ret) MUST_CHECK;

/* The member as an object, a list or any type; NULL without. */
struct json_object *jget(const struct json_object *obj, const char *key);
struct json_object *jget_object(const struct json_object *obj, const char *key);
struct json_object *jget_list(const struct json_object *obj, const char *key);

const char *jget_text(const struct json_object *obj, const char *key, const char *fallback);
uint64_t jget_uint(const struct json_object *obj, const char *key, uint64_t fallback);
/* 0 without; more than fits reads as the most that fits. */
uint32_t jget_u32(const struct json_object *obj, const char *key);
/* What jsonw_count() writes: UINT32_MAX without, or if it is negative or does not fit. */
uint32_t jget_count(const struct json_object *obj, const char *key);
double jget_double(const struct json_object *obj, const char *key, double fallback);
bool jget_bool(const struct json_object *obj, const char *key, bool fallback);
/* Seconds -> ns, rounded; negative reads as 0. */
uint64_t jget_seconds(const struct json_object *obj, const char *key, uint64_t fallback_ns);
/* RFC 3339 -> wall ns. */
uint64_t jget_time(const struct json_object *obj, const char *key, uint64_t fallback);

/* Copies at most size - 1 bytes, never half a character; true if all fitted. */
bool jget_copy(const struct json_object *obj, const char *key, char *out, size_t size);

/* Seconds as a number of ns, rounded, clamped to [0, UINT64_MAX - 1]. */
uint64_t seconds_to_ns(double seconds);

/* "2026-11-20T18:53:19.123456Z" (or with an offset): whole, or -EINVAL. */
int time_parse(const char *text, uint64_t *ret_wall_ns) MUST_CHECK;

#endif
