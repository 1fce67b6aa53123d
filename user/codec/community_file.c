/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines of a community: what comes from elsewhere, and what is kept on disk. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/parse.h"
#include "codec/community.h"
#include "codec/jsonget.h"
#include "codec/jsonpos.h"
#include "codec/jsonw.h"

#define LINE_KEY "key"
#define LINE_SERVER "server"
#define LINE_REVOKED "revoked"
#define HEAD_MAX 128

static void write_id(struct jsonw *w, const char *key, const struct trust_id *id)
{
	char text[KEY_TEXT_LEN];

	hex_print(id->b, sizeof(id->b), text);
	jsonw_text(w, key, text);
}

static void begin_line(struct jsonw *w, struct buf *out, const char *type)
{
	jsonw_init(w, out);
	jsonw_object(w, NULL);
	jsonw_uint(w, "v", COMMUNITY_VERSION);
	jsonw_text(w, "type", type);
}

static void end_line(struct jsonw *w)
{
	jsonw_object_end(w);
	buf_putc(w->out, '\n');
}

/* One object of a line. -EINVAL with why; -ENOMEM. */
static int parse_line(const char *text, size_t len, struct json_object **ret, char *why,
		      size_t why_size)
{
	struct jsonpos_fault fault;
	int r = len > STATEMENT_LINE_MAX ? -E2BIG : jsonpos_parse(text, len, 2, ret, &fault);

	if (r == -ENOMEM)
		return r;
	if (len > STATEMENT_LINE_MAX)
		return explain(-EINVAL, why, why_size, "it is longer than %u bytes",
			       STATEMENT_LINE_MAX);
	if (r)
		return explain(-EINVAL, why, why_size, "column %u: %s", fault.at.column,
			       fault.what);
	if (!json_object_is_type(*ret, json_type_object))
		return explain(-EINVAL, why, why_size, "it is no object");
	return 0;
}

static bool is_type(const struct json_object *obj, const char *type)
{
	return !strcmp(jget_text(obj, "type", ""), type);
}

static bool read_id(const struct json_object *obj, const char *key, struct trust_id *ret)
{
	return hex_parse(jget_text(obj, key, ""), ret->b, sizeof(ret->b));
}

/* --- from elsewhere ------------------------------------------------------------------------------ */

int community_key_line(const struct community_key *k, struct buf *out)
{
	struct jsonw w;

	begin_line(&w, out, LINE_KEY);
	write_id(&w, "key", &k->key);
	jsonw_text(&w, "name", k->name);
	end_line(&w);
	return buf_error(out);
}

static int read_key(const struct json_object *obj, struct community_key *ret, char *why,
		    size_t why_size)
{
	const char *name = jget_text(obj, "name", "");

	*ret = (struct community_key){ 0 };
	if (jget_uint(obj, "v", 0) != COMMUNITY_VERSION)
		return explain(-EINVAL, why, why_size, "\"v\" is not %u", COMMUNITY_VERSION);
	if (!read_id(obj, "key", &ret->key))
		return explain(-EINVAL, why, why_size, "\"key\" is not 64 hexadecimal digits");
	if (!community_name_is_good(name))
		return explain(-EINVAL, why, why_size,
			       "\"name\" is not 1 to %d letters, digits, '.', '_', '-' or '@'",
			       COMMUNITY_NAME_LEN - 1);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->anchor = jget_bool(obj, "anchor", false);
	return 0;
}

static int read_line(const char *text, size_t len, struct community_line *ret, char *why,
		     size_t why_size)
{
	CLEANUP(json_putp) struct json_object *obj = NULL;
	int r = parse_line(text, len, &obj, why, why_size);

	if (r)
		return r;
	ret->is_key = is_type(obj, LINE_KEY);
	if (ret->is_key)
		return read_key(obj, &ret->key, why, why_size);
	return statement_decode(text, len, &ret->statement, why, why_size);
}

static size_t blank(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (text[n] == ' ' || text[n] == '\t' || text[n] == '\r'))
		n++;
	return n;
}

static struct community_line *add_line(struct community_lines *lines)
{
	struct community_line *v;

	if (!(lines->n & (lines->n + 1))) { /* at 0, 1, 3, 7, ... */
		v = reallocarray(lines->v, 2 * lines->n + 1, sizeof(*v));
		if (!v)
			return NULL;
		lines->v = v;
	}
	lines->v[lines->n] = (struct community_line){ 0 };
	return &lines->v[lines->n++];
}

int community_lines_read(const char *text, size_t len, struct community_lines *ret, char *why,
			 size_t why_size)
{
	const char *end = text + len;
	char what[256];

	*ret = (struct community_lines){ 0 };
	for (unsigned int number = 1; text < end; number++) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((feed ? feed : end) - text);
		struct community_line *line;
		int r;

		if (blank(text, n) < n) {
			line = ret->n < COMMUNITY_LINES_MAX ? add_line(ret) : NULL;
			if (ret->n == COMMUNITY_LINES_MAX && !line)
				return explain(-EINVAL, why, why_size,
					       "line %u: these are more than %u lines", number,
					       COMMUNITY_LINES_MAX);
			if (!line)
				return -ENOMEM;
			line->number = number;
			r = read_line(text, n, line, what, sizeof(what));
			if (r)
				return explain(r, why, why_size, "line %u: %s", number, what);
		}
		text += n + 1;
	}
	return 0;
}

void community_lines_done(struct community_lines *lines)
{
	free(lines->v);
	*lines = (struct community_lines){ 0 };
}

/* --- writing the file ---------------------------------------------------------------------------- */

static void write_keys(const struct community *c, struct buf *out)
{
	struct jsonw w;

	for (size_t i = 0; i < c->n_keys; i++) {
		begin_line(&w, out, LINE_KEY);
		write_id(&w, "key", &c->keys[i].key);
		jsonw_text(&w, "name", c->keys[i].name);
		jsonw_bool(&w, "anchor", c->keys[i].anchor);
		end_line(&w);
	}
}

static void write_servers(const struct community *c, struct buf *out)
{
	struct jsonw w;

	for (uint32_t i = 0; i < c->web.n_servers; i++) {
		const struct reputation_server *s = &c->web.servers[i];

		begin_line(&w, out, LINE_SERVER);
		write_id(&w, "id", &s->id);
		jsonw_text(&w, "name", c->servers[i]);
		jsonw_count(&w, "before", s->before); /* a line of these, from 0 */
		end_line(&w);
	}
}

static void write_revoked(const struct community *c, struct buf *out)
{
	struct jsonw w;

	for (uint32_t i = 0; i < c->web.keys_cap; i++) {
		const struct reputation_key *k = &c->web.keys[i];

		if (!k->used || !k->revoked)
			continue;
		begin_line(&w, out, LINE_REVOKED);
		write_id(&w, "key", &k->id);
		jsonw_uint(&w, "since_ns", k->revoked_ns);
		end_line(&w);
	}
}

int community_encode(const struct community *c, struct buf *out)
{
	CLEANUP(buf_done) struct buf body = BUF(COMMUNITY_FILE_MAX);
	int r;

	write_keys(c, &body);
	write_servers(c, &body);
	write_revoked(c, &body);
	r = community_export(c, NULL, &body);
	if (r)
		return r;
	buf_printf(out, "{\"v\":%u,\"type\":\"community\",\"checksum\":\"%016llx\"}\n",
		   COMMUNITY_VERSION, (unsigned long long)fnv1a(buf_str(&body), body.len));
	buf_append(out, buf_str(&body), body.len);
	return buf_error(out);
}

/* --- reading it ------------------------------------------------------------------------------------ */

/* Servers of a file in their order: where they are here, since some may have been here before. */
struct places {
	uint32_t v[COMMUNITY_SERVERS];
	uint32_t n;
};

static void take_server(struct community *c, const struct json_object *obj, struct places *places)
{
	uint32_t before = jget_count(obj, "before");
	struct trust_id id;
	uint32_t i = REPUTATION_NONE;

	before = before < places->n ? places->v[before] : REPUTATION_NONE;
	if (read_id(obj, "id", &id) && !reputation_subject(&c->web, &id, before, &i) &&
	    !c->servers[i][0])
		jget_copy(obj, "name", c->servers[i], sizeof(c->servers[i]));
	if (places->n < COMMUNITY_SERVERS)
		places->v[places->n++] = i;
}

static void take_key(struct community *c, const struct json_object *obj)
{
	struct community_key k;
	const char *name;
	char why[128];

	if (!read_key(obj, &k, why, sizeof(why)) && !community_add(c, k.name, &k.key, &name) &&
	    k.anchor)
		(void)!community_anchor(c, k.name, true);
}

static void take_revoked(struct community *c, const struct json_object *obj)
{
	uint64_t since_ns = jget_uint(obj, "since_ns", 0);
	struct trust_id key;

	if (read_id(obj, "key", &key))
		(void)!reputation_restore_revoked(&c->web, &key, since_ns);
}

static bool take_statement(struct community *c, const char *text, size_t len, bool verify)
{
	struct statement s;
	char why[256];

	if (statement_decode(text, len, &s, why, sizeof(why)) ||
	    (verify && !statement_verify(&s)) || reputation_restore(&c->web, &s.says))
		return false;
	community_prove(c, &s);
	return true;
}

static void take_line(struct community *c, const char *text, size_t len, struct places *places)
{
	CLEANUP(json_putp) struct json_object *obj = NULL;
	char why[256];

	if (parse_line(text, len, &obj, why, sizeof(why)))
		return;
	if (is_type(obj, LINE_KEY))
		take_key(c, obj);
	else if (is_type(obj, LINE_SERVER))
		take_server(c, obj, places);
	else if (is_type(obj, LINE_REVOKED))
		take_revoked(c, obj);
	else
		(void)take_statement(c, text, len, false);
}

/* The first line: is the rest what it was of? */
static int check_head(const char *text, size_t len, const char **ret_rest, struct buf *why)
{
	CLEANUP(json_putp) struct json_object *obj = NULL;
	const char *feed = memchr(text, '\n', len);
	const char *rest = feed ? feed + 1 : NULL;
	char sum[20];
	char fault[256];

	if (!feed || (size_t)(feed - text) > HEAD_MAX ||
	    parse_line(text, (size_t)(feed - text), &obj, fault, sizeof(fault)) ||
	    !is_type(obj, "community")) {
		buf_puts(why, "truncated, or damaged in line 1");
		return -EBADMSG;
	}
	if (jget_uint(obj, "v", 0) > COMMUNITY_VERSION) {
		buf_printf(why, "written in version %llu of the format, this daemon knows %u",
			   (unsigned long long)jget_uint(obj, "v", 0), COMMUNITY_VERSION);
		return -EPROTONOSUPPORT;
	}
	snprintf(sum, sizeof(sum), "%016llx",
		 (unsigned long long)fnv1a(rest, (size_t)(text + len - rest)));
	if (strcmp(jget_text(obj, "checksum", ""), sum) != 0) {
		buf_puts(why, "damaged: the checksum in its first line is of other bytes");
		return -EBADMSG;
	}
	*ret_rest = rest;
	return 0;
}

int community_decode(struct community *c, const char *text, size_t len, struct buf *why)
{
	struct places places = { .n = 0 };
	const char *end = text + len;
	int r = check_head(text, len, &text, why);

	while (!r && text < end) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((feed ? feed : end) - text);

		take_line(c, text, n, &places);
		text += n + 1;
	}
	return r;
}

/* A server's identity is harmless, and without it nothing that was said of it could be taken. */
static bool salvage_line(struct community *c, const char *text, size_t len)
{
	CLEANUP(json_putp) struct json_object *obj = NULL;
	struct places none = { .n = 0 };
	char why[256];

	if (parse_line(text, len, &obj, why, sizeof(why)))
		return false;
	if (is_type(obj, LINE_SERVER))
		take_server(c, obj, &none);
	return take_statement(c, text, len, true);
}

size_t community_salvage(struct community *c, const char *text, size_t len)
{
	const char *end = text + len;
	size_t taken = 0;

	while (text < end) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((feed ? feed : end) - text);

		taken += salvage_line(c, text, n);
		text += n + 1;
	}
	return taken;
}
