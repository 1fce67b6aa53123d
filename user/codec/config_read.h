/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the configuration's parts are read: keys as data, each with its reader,
 * its place in a struct and its limits. Internal to config*.c; findings*.c complain by it,
 * too. Readers return false after they have complained, and go on with the next key, so that
 * one run reports several mistakes.
 */
#ifndef SWITCHGEAR_CODEC_CONFIG_READ_H
#define SWITCHGEAR_CODEC_CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/config_types.h"
#include "codec/jsonpos.h"

#define CONFIG_TEXT_MAX 4096U
#define CONFIG_KEYS_MAX 128U /* candidates for "did you mean" */

struct config_reader {
	const char *text;
	size_t len;
	const char *file;
	unsigned int lines_before; /* of the file, before the text */
	const struct config_env *env;
	struct buf *errors;
	unsigned int n_errors;
	unsigned int n_warnings;
	bool no_memory;
};

struct config_key;

/* A value, where it stands, and the row by which it is read, if there is one. */
struct config_value {
	struct json_path path;
	struct json_object *obj;
	const struct config_key *key;
};

struct config_key {
	const char *name;
	bool (*read)(struct config_reader *r, const struct config_value *v, void *target);
	size_t offset; /* of the member in the target */
	uint64_t min;
	uint64_t max;
	const char *const *words;       /* of config_read_word(): end with NULL */
	const struct config_keys *keys; /* of config_read_keys() */
};

#define CONFIG_KEY(text, reader, type, member, ...)                                                \
	{                                                                                          \
		.name = text, .read = reader, .offset = offsetof(struct type, member), __VA_ARGS__ \
	}

/* A set of keys; `other` may take the ones that the table does not know. */
struct config_keys {
	const struct config_key *keys;
	size_t n;
	const char *const *names; /* known too; not used unless `other` takes them. May be NULL */
	/* Returns 1 if the key was its own and good, 0 if its own and bad, -ENOENT if not its own. */
	int (*other)(struct config_reader *r, const struct config_value *v, void *target);
	bool breaker_keys; /* those it takes are the breaker's: candidates for "did you mean" */
};

/* Parses the reader's text, which the messages call a `noun`. -EINVAL after a complaint,
 * -ENOMEM. The caller puts *ret. */
int config_read_tree(struct config_reader *r, const char *noun,
		     struct json_object **ret) MUST_CHECK;

/* "FILE:LINE:COL: path: text"; `value`: at the value, else at the key. Always false. */
bool config_complain(struct config_reader *r, const struct json_path *path, bool value,
		     const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same with "warning: "; not an error. */
void config_warn(struct config_reader *r, const struct json_path *path, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* Remembers that memory ran out. Always false. */
bool config_no_memory(struct config_reader *r);

/* Reads every member of an object by the table. */
bool config_read_object(struct config_reader *r, const struct config_value *v,
			const struct config_keys *keys, void *target);
bool config_is_name(const char *const *names, const char *name); /* is it one? */
/* Complains about a key that is in none of the tables. Always false. */
bool config_unknown_key(struct config_reader *r, const struct json_path *path,
			const struct config_keys *keys);

/* Complains unless the value is of the type; `wanted` says what is expected. */
bool config_is(struct config_reader *r, const struct config_value *v, enum json_type type,
	       const char *wanted);
bool config_is_at(struct config_reader *r, const struct json_path *path, struct json_object *obj,
		  enum json_type type, const char *wanted); /* path NULL: the document */

/* Readers for tables. Members: bool, uint32_t, uint64_t (ns; min and max in ns),
 * char * (owned, replaces), struct config_list (owned; max elements), enum. */
bool config_read_bool(struct config_reader *r, const struct config_value *v, void *target);
bool config_read_u32(struct config_reader *r, const struct config_value *v, void *target);
bool config_read_duration(struct config_reader *r, const struct config_value *v, void *target);
bool config_read_text(struct config_reader *r, const struct config_value *v, void *target);
bool config_read_list(struct config_reader *r, const struct config_value *v, void *target);
/* A list whose texts may be long and have line breaks. */
bool config_read_scripts(struct config_reader *r, const struct config_value *v, void *target);

/* One of the words of the row, as its index. */
bool config_read_word(struct config_reader *r, const struct config_value *v, void *target);
/* A bool: is it the second of the two words? */
bool config_read_second(struct config_reader *r, const struct config_value *v, void *target);
/* An object of the row's keys, into the same target. */
bool config_read_keys(struct config_reader *r, const struct config_value *v, void *target);

/* The value as text without control characters: borrowed, NULL after a complaint. */
const char *config_text(struct config_reader *r, const struct config_value *v);
/* A number of seconds, or a duration as text; within [min, max] ns. */
bool config_duration(struct config_reader *r, const struct config_value *v, uint64_t min,
		     uint64_t max, uint64_t *ret_ns);
/* One of the words: its index, or -1 after a complaint. words ends with NULL. */
int config_word(struct config_reader *r, const struct config_value *v, const char *const *words);

/* Parts of a configuration, each in a file of its own. */
bool config_read_server(struct config_reader *r, const struct config_value *v,
			const struct config *config, struct config_server *server);
/* Readers for tables: a breaker object; the same, checked as a whole; a trust object, checked as
 * a whole. Members: struct breaker_policy, struct trust_policy. */
bool config_read_breaker(struct config_reader *r, const struct config_value *v, void *target);
bool config_read_policy(struct config_reader *r, const struct config_value *v, void *target);
bool config_read_trust(struct config_reader *r, const struct config_value *v, void *target);
/* A breaker key outside of a breaker object: as config_keys.other, into a policy. */
int config_read_breaker_key(struct config_reader *r, const struct config_value *v, void *policy);
/* Do the numbers make sense together? */
bool config_check_policy(struct config_reader *r, const struct json_path *path,
			 const struct breaker_policy *policy);
/* A reader for tables: an isolation object; the member is a struct config_isolation. */
bool config_read_isolation(struct config_reader *r, const struct config_value *v, void *target);
/* Where a server of this host runs. */
bool config_read_local(struct config_reader *r, const struct config_value *v,
		       struct config_server *s);
/* Fallbacks that exist, endpoints that are shared: once all servers are read. */
void config_check_across(struct config_reader *r, struct config *config);
/* Is this usable as a name, of a server or of a group? */
bool config_check_name(struct config_reader *r, const struct json_path *path, bool value,
		       const char *name);

#endif
