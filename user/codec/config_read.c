/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/config_read.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "codec/jsonget.h"
#include "codec/url.h"

#define CONFIG_MESSAGE_MAX (2 * CONFIG_SIZE_MAX) /* whatever of the file it quotes */

int config_read_tree(struct config_reader *r, const char *noun, struct json_object **ret)
{
	struct jsonpos_fault fault;
	int e;

	if (r->len > CONFIG_SIZE_MAX) {
		buf_printf(r->errors, "%s: %zu bytes; a %s may have at most %u\n", r->file, r->len,
			   noun, CONFIG_SIZE_MAX);
		return -EINVAL;
	}
	e = jsonpos_parse(r->text, r->len, CONFIG_DEPTH_MAX, ret, &fault);
	if (!e || e == -ENOMEM)
		return e;
	buf_printf(r->errors, "%s:%u:%u: %s\n", r->file, fault.at.line, fault.at.column,
		   fault.what);
	return -EINVAL;
}

static void PRINTF_LIKE(5, 0) print(struct config_reader *r, const struct json_path *path,
				    bool value, const char *kind, const char *fmt, va_list ap)
{
	CLEANUP(buf_done) struct buf text = BUF(CONFIG_MESSAGE_MAX);
	struct jsonpos pos = jsonpos_find(r->text, r->len, path, value);

	buf_puts(r->errors, r->file);
	if (pos.line)
		buf_printf(r->errors, ":%u:%u", pos.line + r->lines_before, pos.column);
	buf_printf(r->errors, ": %s", kind);
	json_path_print(path, &text);
	buf_puts(&text, path ? ": " : "");
	buf_vprintf(&text, fmt, ap);
	url_redact(buf_str(&text), URL_MASKED, r->errors);
	buf_putc(r->errors, '\n');
}

bool config_complain(struct config_reader *r, const struct json_path *path, bool value,
		     const char *fmt, ...)
{
	va_list ap;

	r->n_errors++;
	if (r->n_errors > CONFIG_ERRORS_MAX) {
		if (r->n_errors == CONFIG_ERRORS_MAX + 1)
			buf_printf(r->errors, "%s: there are more errors; correct these first\n",
				   r->file);
		return false;
	}
	va_start(ap, fmt);
	print(r, path, value, "", fmt, ap);
	va_end(ap);
	return false;
}

void config_warn(struct config_reader *r, const struct json_path *path, const char *fmt, ...)
{
	va_list ap;

	if (++r->n_warnings > CONFIG_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	print(r, path, false, "warning: ", fmt, ap);
	va_end(ap);
}

bool config_no_memory(struct config_reader *r)
{
	r->no_memory = true;
	r->n_errors++;
	return false;
}

bool config_is_at(struct config_reader *r, const struct json_path *path, struct json_object *obj,
		  enum json_type type, const char *wanted)
{
	static const char *const words[] = {
		[json_type_null] = "null",        [json_type_boolean] = "true or false",
		[json_type_double] = "a number",  [json_type_int] = "a number",
		[json_type_object] = "an object", [json_type_array] = "a list",
		[json_type_string] = "text",
	};

	if (json_object_is_type(obj, type))
		return true;
	return config_complain(r, path, true, "this is %s; %s is expected",
			       words[json_object_get_type(obj)], wanted);
}

bool config_is(struct config_reader *r, const struct config_value *v, enum json_type type,
	       const char *wanted)
{
	return config_is_at(r, &v->path, v->obj, type, wanted);
}

bool config_unknown_key(struct config_reader *r, const struct json_path *path,
			const struct config_keys *keys)
{
	const char *names[CONFIG_KEYS_MAX + 1];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < keys->n && n < CONFIG_KEYS_MAX; i++)
		names[n++] = keys->keys[i].name;
	for (const char *const *name = keys->names; name && *name && n < CONFIG_KEYS_MAX; name++)
		names[n++] = *name;
	for (size_t i = 0; keys->breaker_keys && i < POLICY_KEY_COUNT && n < CONFIG_KEYS_MAX; i++)
		names[n++] = policy_keys[i].name;
	names[n] = NULL;
	near = nearest_word(path->key, names);
	if (near)
		return config_complain(r, path, false, "unknown key; did you mean \"%s\"?", near);
	return config_complain(r, path, false,
			       "unknown key; remove it, or see switchgear.json(5) for the keys");
}

bool config_is_name(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

static bool read_member(struct config_reader *r, const struct config_value *v,
			const struct config_keys *keys, void *target)
{
	int own = -ENOENT;

	for (size_t i = 0; i < keys->n; i++) {
		const struct config_key *key = &keys->keys[i];

		if (!strcmp(key->name, v->path.key)) {
			struct config_value mine = { v->path, v->obj, key };

			return key->read(r, &mine, target);
		}
	}
	if (keys->other)
		own = keys->other(r, v, target);
	if (own != -ENOENT)
		return own == 1;
	return config_is_name(keys->names, v->path.key) || config_unknown_key(r, &v->path, keys);
}

bool config_read_object(struct config_reader *r, const struct config_value *v,
			const struct config_keys *keys, void *target)
{
	bool good = config_is(r, v, json_type_object, "an object { }");
	bool root = !v->path.up && !v->path.key;

	if (!good)
		return false;
	json_object_object_foreach(v->obj, name, member)
	{
		struct config_value child = { { root ? NULL : &v->path, name, 0 }, member, NULL };

		good &= read_member(r, &child, keys, target);
	}
	return good;
}

bool config_read_bool(struct config_reader *r, const struct config_value *v, void *target)
{
	if (!config_is(r, v, json_type_boolean, "true or false"))
		return false;
	*(bool *)((char *)target + v->key->offset) = json_object_get_boolean(v->obj);
	return true;
}

bool config_read_u32(struct config_reader *r, const struct config_value *v, void *target)
{
	int64_t value;

	if (!config_is(r, v, json_type_int, "a whole number"))
		return false;
	value = json_object_get_int64(v->obj);
	if (value < (int64_t)v->key->min || value > (int64_t)v->key->max)
		return config_complain(r, &v->path, true,
				       "out of range; %" PRIu64 " to %" PRIu64 " is allowed",
				       v->key->min, v->key->max);
	*(uint32_t *)((char *)target + v->key->offset) = (uint32_t)value;
	return true;
}

const char *config_text(struct config_reader *r, const struct config_value *v)
{
	const char *text;
	size_t len;

	if (!config_is(r, v, json_type_string, "text in double quotes"))
		return NULL;
	text = json_object_get_string(v->obj);
	len = (size_t)json_object_get_string_len(v->obj);
	if (len > CONFIG_TEXT_MAX) {
		config_complain(r, &v->path, true, "longer than %u bytes", CONFIG_TEXT_MAX);
		return NULL;
	}
	if (!utf8_has_control(text, len))
		return text;
	config_complain(r, &v->path, true, "control characters are not allowed");
	return NULL;
}

bool config_duration(struct config_reader *r, const struct config_value *v, uint64_t min,
		     uint64_t max, uint64_t *ret_ns)
{
	char low[32], high[32];
	double seconds;
	uint64_t ns;

	if (json_object_is_type(v->obj, json_type_string)) {
		if (parse_duration(json_object_get_string(v->obj), &ns) < 0)
			return config_complain(
				r, &v->path, true,
				"not a duration; write seconds, or 90s, 10m, 2h, 1d");
	} else {
		if (!json_object_is_type(v->obj, json_type_double) &&
		    !config_is(r, v, json_type_int, "a number of seconds"))
			return false;
		seconds = json_object_get_double(v->obj);
		ns = seconds < 0 || !isfinite(seconds) ? UINT64_MAX : seconds_to_ns(seconds);
	}
	if (ns < min || ns > max)
		return config_complain(r, &v->path, true, "out of range; %s to %s is allowed",
				       format_duration(low, sizeof(low), min),
				       format_duration(high, sizeof(high), max));
	*ret_ns = ns;
	return true;
}

bool config_read_duration(struct config_reader *r, const struct config_value *v, void *target)
{
	return config_duration(r, v, v->key->min, v->key->max,
			       (uint64_t *)((char *)target + v->key->offset));
}

int config_word(struct config_reader *r, const struct config_value *v, const char *const *words)
{
	CLEANUP(buf_done) struct buf list = BUF(512);
	const char *text = config_text(r, v);

	if (!text)
		return -1;
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], text))
			return i;
		buf_printf(&list, "%s\"%s\"", i ? ", " : "", words[i]);
	}
	config_complain(r, &v->path, true, "\"%s\" is none of %s", text, buf_str(&list));
	return -1;
}

bool config_read_text(struct config_reader *r, const struct config_value *v, void *target)
{
	char **member = (char **)((char *)target + v->key->offset);
	const char *text = config_text(r, v);
	char *copy;

	if (!text)
		return false;
	if (!*text)
		return config_complain(r, &v->path, true, "empty; leave the key out instead");
	copy = strdup(text);
	if (!copy)
		return config_no_memory(r);
	free(*member);
	*member = copy;
	return true;
}

static bool read_texts(struct config_reader *r, const struct config_value *v, void *target,
		       bool any)
{
	struct config_list *list = (struct config_list *)((char *)target + v->key->offset);
	size_t n;

	if (!config_is(r, v, json_type_array, "a list [ ] of texts"))
		return false;
	n = json_object_array_length(v->obj);
	if (n > v->key->max)
		return config_complain(r, &v->path, true,
				       "%zu entries; at most %" PRIu64 " are allowed", n,
				       v->key->max);
	config_list_done(list);
	for (size_t i = 0; i < n; i++) {
		struct config_value item = { { &v->path, NULL, i },
					     json_object_array_get_idx(v->obj, i),
					     NULL };

		if (any ? !config_is(r, &item, json_type_string, "text in double quotes")
			: !config_text(r, &item))
			return false;
		if (config_list_add(list, json_object_get_string(item.obj)))
			return config_no_memory(r);
	}
	return true;
}

bool config_read_list(struct config_reader *r, const struct config_value *v, void *target)
{
	return read_texts(r, v, target, false);
}

bool config_read_scripts(struct config_reader *r, const struct config_value *v, void *target)
{
	return read_texts(r, v, target, true);
}

bool config_read_word(struct config_reader *r, const struct config_value *v, void *target)
{
	int word = config_word(r, v, v->key->words);

	if (word >= 0)
		*(unsigned int *)((char *)target + v->key->offset) = (unsigned int)word;
	return word >= 0;
}

bool config_read_second(struct config_reader *r, const struct config_value *v, void *target)
{
	int word = config_word(r, v, v->key->words);

	*(bool *)((char *)target + v->key->offset) = word == 1;
	return word >= 0;
}

bool config_read_keys(struct config_reader *r, const struct config_value *v, void *target)
{
	return config_read_object(r, v, v->key->keys, target);
}

/* Characters that reorder, hide or break text: U+0080 to U+009F, zero-width and
 * bidirectional controls, line separators. The text is UTF-8. */
static bool has_invisible(const char *name)
{
	static const int32_t ranges[][2] = {
		{ 0x80, 0x9f },     { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff },
	};
	const char *end = name + strlen(name);

	while (name < end) {
		int32_t c = utf8_next(&name, end);

		for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
			if (c >= ranges[i][0] && c <= ranges[i][1])
				return true;
	}
	return false;
}

bool config_check_name(struct config_reader *r, const struct json_path *path, bool value,
		       const char *name)
{
	size_t n = strlen(name);

	if (!n)
		return config_complain(r, path, value, "empty; give it a name");
	if (n >= SG_NAME_LEN)
		return config_complain(r, path, value,
				       "the name has %zu bytes; at most %d are allowed", n,
				       SG_NAME_LEN - 1);
	if (utf8_has_control(name, n))
		return config_complain(r, path, value,
				       "control characters are not allowed in a name");
	if (has_invisible(name))
		return config_complain(r, path, value,
				       "invisible characters are not allowed in a name");
	if (name[0] == ' ' || name[n - 1] == ' ')
		return config_complain(r, path, value, "a name must not begin or end with a space");
	return true;
}
