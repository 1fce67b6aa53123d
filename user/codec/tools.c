/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/tools.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "codec/jsoncanon.h"
#include "codec/jsonget.h"
#include "codec/jsonpos.h"
#include "codec/jsonw.h"
#include "core/names.h"

#define DEPTH_MAX 8U

static const char *const keys[TOOL_FIELD_COUNT] = {
	[TOOL_DESCRIPTION] = "description",
	[TOOL_INPUT_SCHEMA] = "inputSchema",
	[TOOL_ANNOTATIONS] = "annotations",
};
static const char *const field_words[TOOL_FIELD_COUNT] = {
	[TOOL_DESCRIPTION] = "description",
	[TOOL_INPUT_SCHEMA] = "input schema",
	[TOOL_ANNOTATIONS] = "annotations",
};

void tools_done(struct tools *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].name);
	free(t->v);
	*t = (struct tools){ 0 };
}

/* --- from a server ---------------------------------------------------------------------------- */

static int grow(struct tools *t, size_t n)
{
	struct tool *v = reallocarray(t->v, t->n + n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	t->v = v;
	return 0;
}

static int digest_of(struct json_object *value, struct digest *ret)
{
	CLEANUP(buf_done) struct buf text = BUF(2 * TOOLS_BYTES_MAX);
	int r;

	*ret = (struct digest){ 0 };
	if (!value)
		return 0;
	r = json_canonical(value, &text);
	if (!r)
		digest_bytes(buf_str(&text), text.len, ret);
	return r;
}

/* Of the name is kept all of it: it is what agents call. */
static int add_one(struct tools *t, const struct json_object *from, char why[TOOLS_WHY_LEN])
{
	struct json_object *name = jget(from, "name");
	struct tool *tool = &t->v[t->n];
	size_t len;
	int r = 0;

	if (!json_object_is_type(name, json_type_string))
		return explain(-EINVAL, why, TOOLS_WHY_LEN, "tool %zu of its list has no name",
			       t->n + 1);
	len = (size_t)json_object_get_string_len(name);
	if (!len || len > TOOL_NAME_MAX || strlen(json_object_get_string(name)) != len)
		return explain(
			-EINVAL, why, TOOLS_WHY_LEN,
			"the name of tool %zu of its list is empty, longer than %u bytes, or "
			"has a NUL in it",
			t->n + 1, TOOL_NAME_MAX);
	for (int i = 0; i < TOOL_FIELD_COUNT && !r; i++)
		r = digest_of(jget(from, keys[i]), &tool->fields[i]);
	if (r)
		return r == -ENOMEM ? r : explain(-E2BIG, why, TOOLS_WHY_LEN, "a tool is too long");
	tool->name = strdup(json_object_get_string(name));
	if (!tool->name)
		return -ENOMEM;
	t->n++;
	return 0;
}

static int take_cursor(const struct json_object *result, char **ret, char why[TOOLS_WHY_LEN])
{
	struct json_object *cursor = jget(result, "nextCursor");
	size_t len;

	*ret = NULL;
	if (!cursor)
		return 0;
	if (!json_object_is_type(cursor, json_type_string))
		return explain(-EINVAL, why, TOOLS_WHY_LEN, "nextCursor of its list is no text");
	len = (size_t)json_object_get_string_len(cursor);
	if (len > TOOLS_CURSOR_MAX || strlen(json_object_get_string(cursor)) != len)
		return explain(-E2BIG, why, TOOLS_WHY_LEN,
			       "nextCursor of its list is longer than %u bytes, or has a NUL in it",
			       TOOLS_CURSOR_MAX);
	*ret = strdup(json_object_get_string(cursor));
	return *ret ? 0 : -ENOMEM;
}

int tools_add(struct tools *t, const struct json_object *result, char **ret_cursor,
	      char why[TOOLS_WHY_LEN])
{
	struct json_object *list = jget_list(result, "tools");
	size_t n = list ? json_object_array_length(list) : 0;
	int r;

	*ret_cursor = NULL;
	if (!list)
		return explain(-EINVAL, why, TOOLS_WHY_LEN,
			       "what it answers to tools/list has no \"tools\"");
	if (t->n + n > TOOLS_MAX)
		return explain(-E2BIG, why, TOOLS_WHY_LEN, "it has more than %u tools", TOOLS_MAX);
	r = grow(t, n);
	for (size_t i = 0; i < n && !r; i++)
		r = add_one(t, json_object_array_get_idx(list, i), why);
	return r ? r : take_cursor(result, ret_cursor, why);
}

void tools_listing_add(struct buf *listing, const struct json_object *result)
{
	struct json_object *list = jget_list(result, "tools");
	size_t n = list ? json_object_array_length(list) : 0;

	if (!listing->len)
		buf_putc(listing, '[');
	else if (n && listing->data[listing->len - 1] != '[')
		buf_putc(listing, ',');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(listing, ',');
		buf_puts(listing, json_object_to_json_string_ext(
					  json_object_array_get_idx(list, i),
					  JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

/* --- in order ----------------------------------------------------------------------------------- */

/* Whoever has two tools of one name has them in an order of their own. */
static int compare(const void *a, const void *b)
{
	const struct tool *x = a;
	const struct tool *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : memcmp(x->fields, y->fields, sizeof(x->fields));
}

int tools_close(struct tools *t)
{
	CLEANUP(buf_done)
	struct buf all =
		BUF(TOOLS_MAX * (TOOL_NAME_MAX + sizeof(t->v->fields) + 2 * sizeof(uint32_t)));

	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), compare);
	for (size_t i = 0; i < t->n; i++) {
		buf_printf(&all, "%zu:%s", strlen(t->v[i].name), t->v[i].name);
		buf_append(&all, t->v[i].fields, sizeof(t->v[i].fields));
	}
	digest_bytes(buf_str(&all), all.len, &t->digest);
	return buf_error(&all);
}

int tools_copy(const struct tools *t, struct tools *ret)
{
	struct tools copy = { .digest = t->digest };
	int r = grow(&copy, t->n);

	for (size_t i = 0; i < t->n && !r; i++) {
		copy.v[i] = t->v[i];
		copy.v[i].name = strdup(t->v[i].name);
		r = copy.v[i].name ? 0 : -ENOMEM;
		copy.n += !r;
	}
	if (r)
		tools_done(&copy);
	else
		*ret = copy;
	return r;
}

bool tools_equal(const struct tools *a, const struct tools *b)
{
	return !memcmp(a->digest.b, b->digest.b, sizeof(a->digest.b));
}

static void put_hex(const struct digest *d, char out[TOOLS_DIGEST_LEN])
{
	for (size_t i = 0; i < sizeof(d->b); i++)
		snprintf(out + 2 * i, 3, "%02x", d->b[i]);
}

char *tools_hex(const struct tools *t, char out[TOOLS_DIGEST_LEN])
{
	put_hex(&t->digest, out);
	return out;
}

/* --- differences -------------------------------------------------------------------------------- */

static const char *const kinds[] = {
	[TOOL_CHANGED] = "changed",
	[TOOL_ADDED] = "added",
	[TOOL_REMOVED] = "removed",
};

_Static_assert(ARRAY_SIZE(kinds) == TOOL_CHANGE_COUNT, "a change has no name");

const char *tool_change_name(unsigned int kind)
{
	return name_of(kinds, ARRAY_SIZE(kinds), kind);
}

char *tool_fields_print(unsigned int fields, char *out, size_t size)
{
	CLEANUP(buf_done) struct buf b = BUF(256);

	for (unsigned int i = 0; i < TOOL_FIELD_COUNT; i++)
		if (fields & 1U << i)
			buf_printf(&b, "%s%s", b.len ? ", " : "", field_words[i]);
	snprintf(out, size, "%s", buf_str(&b));
	return out;
}

static unsigned int fields_changed(const struct tool *a, const struct tool *b)
{
	unsigned int bits = 0;

	for (unsigned int i = 0; i < TOOL_FIELD_COUNT; i++)
		if (memcmp(a->fields[i].b, b->fields[i].b, sizeof(a->fields[i].b)) != 0)
			bits |= 1U << i;
	return bits;
}

size_t tools_diff(const struct tools *before, const struct tools *after, struct tool_change *ret,
		  size_t max)
{
	size_t i = 0;
	size_t k = 0;
	size_t n = 0;

	while (i < before->n || k < after->n) {
		const struct tool *a = i < before->n ? &before->v[i] : NULL;
		const struct tool *b = k < after->n ? &after->v[k] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
		struct tool_change c = { .kind = TOOL_CHANGED, .name = (order > 0 ? b : a)->name };

		i += order <= 0;
		k += order >= 0;
		if (order)
			c.kind = order < 0 ? TOOL_REMOVED : TOOL_ADDED;
		else
			c.fields = fields_changed(a, b);
		if (!order && !c.fields)
			continue;
		if (n < max)
			ret[n] = c;
		n++;
	}
	return n;
}

/* A name is foreign text, and may be long: what is told of it is one word. */
static void put_name(const char *name, struct buf *out)
{
	size_t n = 0;

	for (; *name && n < 64; name++, n++)
		buf_putc(out, (unsigned char)*name > 0x20 && *name != 0x7f ? *name : '_');
	while (((unsigned char)*name & 0xc0) == 0x80)
		buf_putc(out, *name++);
	if (*name)
		buf_puts(out, "...");
}

static void put_change(const struct tool_change *c, struct buf *out)
{
	char fields[64];

	if (c->kind == TOOL_ADDED)
		buf_puts(out, "new: ");
	else if (c->kind == TOOL_REMOVED)
		buf_puts(out, "gone: ");
	put_name(c->name, out);
	if (c->kind == TOOL_CHANGED)
		buf_printf(out, ": %s", tool_fields_print(c->fields, fields, sizeof(fields)));
}

#define SHOWN_MAX 8

char *tools_diff_print(const struct tools *before, const struct tools *after, char *out,
		       size_t size)
{
	struct tool_change changes[SHOWN_MAX];
	size_t n = tools_diff(before, after, changes, SHOWN_MAX);
	CLEANUP(buf_done) struct buf line = BUF(4096);
	size_t shown = 0;
	char rest[48] = "";

	for (; shown < n && shown < SHOWN_MAX; shown++) {
		CLEANUP(buf_done) struct buf one = BUF(512);

		put_change(&changes[shown], &one);
		if (line.len + one.len + sizeof(rest) > size)
			break;
		buf_printf(&line, "%s%s", line.len ? "; " : "", buf_str(&one));
	}
	if (shown < n)
		snprintf(rest, sizeof(rest), "%s%zu %s", shown ? "; " : "", n - shown,
			 shown ? "more" : "tools");
	snprintf(out, size, "%s%s", buf_str(&line), rest);
	return out;
}

/* --- in our own form ------------------------------------------------------------------------------ */

void tools_write(const struct tools *t, const char *key, struct jsonw *w)
{
	char hex[TOOLS_DIGEST_LEN];

	jsonw_list(w, key);
	for (size_t i = 0; i < t->n; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "name", t->v[i].name);
		for (int k = 0; k < TOOL_FIELD_COUNT; k++) {
			put_hex(&t->v[i].fields[k], hex);
			jsonw_text(w, keys[k], hex);
		}
		jsonw_object_end(w);
	}
	jsonw_list_end(w);
}

static int read_hex(const char *hex, struct digest *ret)
{
	if (strlen(hex) != 2 * sizeof(ret->b))
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(ret->b); i++) {
		int high = parse_hex(hex[2 * i]);
		int low = parse_hex(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		ret->b[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_one(const struct json_object *from, struct tools *t)
{
	const char *name = jget_text(from, "name", "");
	struct tool *tool = &t->v[t->n];
	int r = !*name || strlen(name) > TOOL_NAME_MAX ? -EBADMSG : 0;

	for (int k = 0; k < TOOL_FIELD_COUNT && !r; k++)
		r = read_hex(jget_text(from, keys[k], ""), &tool->fields[k]);
	if (r)
		return r;
	tool->name = strdup(name);
	if (!tool->name)
		return -ENOMEM;
	t->n++;
	return 0;
}

int tools_read(const struct json_object *list, struct tools *ret)
{
	CLEANUP(tools_done) struct tools t = { 0 };
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list)
							      : TOOLS_MAX + 1;
	int r = n > TOOLS_MAX ? -EBADMSG : grow(&t, n);

	for (size_t i = 0; i < n && !r; i++)
		r = read_one(json_object_array_get_idx(list, i), &t);
	if (!r)
		r = tools_close(&t);
	if (r)
		return r;
	*ret = t;
	t = (struct tools){ 0 };
	return 0;
}

/* --- answers -------------------------------------------------------------------------------------- */

void tools_answer_done(struct tools_answer *a)
{
	tools_done(&a->tools);
	buf_done(&a->listing);
	*a = (struct tools_answer){ 0 };
}

int tools_answer_encode(const struct tools_answer *a, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "version", a->version);
	if (a->listed)
		tools_write(&a->tools, "tools", &w);
	else
		jsonw_text(&w, "why", a->why);
	if (a->listed && a->listing.len && !buf_error(&a->listing))
		jsonw_text(&w, "listing", buf_str(&a->listing));
	jsonw_object_end(&w);
	return buf_error(out);
}

/* It is written into lines for people. */
static void without_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '_';
}

int tools_answer_decode(const char *text, size_t len, struct tools_answer *ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct json_object *list;
	struct jsonpos_fault fault;
	int r;

	*ret = (struct tools_answer){ 0 };
	r = len ? jsonpos_parse(text, len, DEPTH_MAX, &root, &fault) : -EBADMSG;
	if (r)
		return r == -ENOMEM ? r : -EBADMSG;
	list = jget(root, "tools");
	(void)jget_copy(root, "version", ret->version, sizeof(ret->version));
	(void)jget_copy(root, "why", ret->why, sizeof(ret->why));
	without_controls(ret->version);
	without_controls(ret->why);
	ret->listed = list != NULL;
	ret->listing = BUF(TOOLS_LISTING_MAX);
	buf_puts(&ret->listing, jget_text(root, "listing", ""));
	if (buf_error(&ret->listing))
		buf_clear(&ret->listing);
	return list ? tools_read(list, &ret->tools) : *ret->why ? 0 : -EBADMSG;
}
