/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonget.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "codec/jsonlex.h"

static void tokener_freep(struct json_tokener **tok)
{
	if (*tok)
		json_tokener_free(*tok);
}

/*
 * A copy in which comments are spaces: json-c does not see the end of one that
 * ends in two or more asterisks. What is not closed stays for json-c to refuse.
 */
static char *without_comments(const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	char *p = copy;
	char *end, *stop;

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (end = copy + len; p < end; p++) {
		if (*p == '"') {
			for (p++; p < end && *p != '"'; p++)
				p += *p == '\\' && p + 1 < end;
			continue;
		}
		if (*p != '/' || end - p < 2 || (p[1] != '/' && p[1] != '*'))
			continue;
		stop = p[1] == '/' ? memchr(p, '\n', (size_t)(end - p))
				   : memmem(p + 2, (size_t)(end - p - 2), "*/", 2);
		if (!stop && p[1] == '*')
			break;
		stop = !stop ? end : *stop == '*' ? stop + 2 : stop;
		memset(p, ' ', (size_t)(stop - p));
		p = stop - 1;
	}
	return copy;
}

/* One value from the start of the text; -EBADMSG unless only space follows. */
static int parse_whole(struct json_tokener *tok, const char *text, size_t len,
		       struct json_object **ret)
{
	struct json_object *obj = json_tokener_parse_ex(tok, text, (int)len);
	size_t at = json_tokener_get_parse_end(tok);

	if (json_tokener_get_error(tok) == json_tokener_continue && len) {
		/* a number or word at the very end: tell json-c that it ends there */
		obj = json_tokener_parse_ex(tok, "\n", 1);
		at = len;
	}
	*ret = obj;
	if (json_tokener_get_error(tok) != json_tokener_success)
		return -EBADMSG;
	return at + strspn(text + at, " \t\r\n") == len ? 0 : -EBADMSG;
}

int json_parse(const char *text, size_t len, unsigned int max_depth, struct json_object **ret)
{
	CLEANUP(tokener_freep) struct json_tokener *tok = NULL;
	CLEANUP(json_putp) struct json_object *obj = NULL;
	CLEANUP(freep) char *plain = NULL;
	size_t skip = json_bom(text, len);
	int r;

	if (len > INT_MAX || utf8_end(text, text + len) != text + len)
		return -EBADMSG;
	plain = without_comments(text + skip, len - skip);
	tok = json_tokener_new_ex((int)max_depth);
	if (!plain || !tok)
		return -ENOMEM;
	r = parse_whole(tok, plain, len - skip, &obj);
	if (r)
		return r;
	*ret = TAKE_PTR(obj);
	return 0;
}

struct json_object *jget(const struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(obj, json_type_object))
		json_object_object_get_ex(obj, key, &value);
	return value;
}

static struct json_object *typed(const struct json_object *obj, const char *key,
				 enum json_type type)
{
	struct json_object *value = jget(obj, key);

	return json_object_is_type(value, type) ? value : NULL;
}

struct json_object *jget_object(const struct json_object *obj, const char *key)
{
	return typed(obj, key, json_type_object);
}

struct json_object *jget_list(const struct json_object *obj, const char *key)
{
	return typed(obj, key, json_type_array);
}

const char *jget_text(const struct json_object *obj, const char *key, const char *fallback)
{
	struct json_object *value = typed(obj, key, json_type_string);

	return value ? json_object_get_string(value) : fallback;
}

uint64_t jget_uint(const struct json_object *obj, const char *key, uint64_t fallback)
{
	struct json_object *value = typed(obj, key, json_type_int);

	return value ? json_object_get_uint64(value) : fallback;
}

uint32_t jget_u32(const struct json_object *obj, const char *key)
{
	uint64_t value = jget_uint(obj, key, 0);

	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

uint32_t jget_count(const struct json_object *obj, const char *key)
{
	struct json_object *value = typed(obj, key, json_type_int);
	int64_t n = value ? json_object_get_int64(value) : -1;

	return n >= 0 && n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

double jget_double(const struct json_object *obj, const char *key, double fallback)
{
	struct json_object *value = jget(obj, key);
	double d;

	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return fallback;
	d = json_object_get_double(value);
	return isfinite(d) ? d : fallback;
}

bool jget_bool(const struct json_object *obj, const char *key, bool fallback)
{
	struct json_object *value = typed(obj, key, json_type_boolean);

	return value ? json_object_get_boolean(value) : fallback;
}

uint64_t seconds_to_ns(double seconds)
{
	double ns = seconds * (double)NS_PER_SEC + 0.5;

	if (!(ns > 0))
		return 0;
	return ns < (double)(UINT64_MAX - 1) ? (uint64_t)ns : UINT64_MAX - 1;
}

uint64_t jget_seconds(const struct json_object *obj, const char *key, uint64_t fallback_ns)
{
	double seconds = jget_double(obj, key, NAN);

	return isnan(seconds) ? fallback_ns : seconds_to_ns(seconds);
}

uint64_t jget_time(const struct json_object *obj, const char *key, uint64_t fallback)
{
	const char *text = jget_text(obj, key, NULL);
	uint64_t t;

	return text && time_parse(text, &t) >= 0 ? t : fallback;
}

bool jget_copy(const struct json_object *obj, const char *key, char *out, size_t size)
{
	const char *text = jget_text(obj, key, "");
	size_t n = strlen(text);

	if (n < size) {
		memcpy(out, text, n + 1);
		return true;
	}
	n = size - 1;
	while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	memcpy(out, text, n);
	out[n] = '\0';
	return false;
}

/* "Z" or "+02:00" -> seconds east of UTC. */
static int offset_parse(const char *p, long *ret)
{
	int hours = 0;
	int minutes = 0;
	int used = 0;

	if (!strcmp(p, "Z") || !strcmp(p, "z")) {
		*ret = 0;
		return 0;
	}
	if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 ||
	    used != 5 || p[6] || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return -EINVAL;
	*ret = (*p == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
	return 0;
}

int time_parse(const char *text, uint64_t *ret_wall_ns)
{
	struct tm tm = {};
	uint64_t fraction = 0;
	uint64_t unit = NS_PER_SEC / 10;
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	long offset;
	time_t t;

	if (!p || tm.tm_year < 70 || tm.tm_year > 600)
		return -EINVAL;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++) {
			fraction += unit * (uint64_t)(*p - '0');
			unit /= 10;
		}
	}
	if (offset_parse(p, &offset) < 0)
		return -EINVAL;
	t = timegm(&tm) - offset;
	if (t < 0)
		return -EINVAL;
	*ret_wall_ns = (uint64_t)t * NS_PER_SEC + fraction;
	return 0;
}
