/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a damaged document still says of quarantines. It is read by its marks, not by its
 * structure, so that damage does not reach farther than the entry that it is in:
 *
 *   "NAME":{"state":      begins an entry; either half of it is enough
 *   "quarantine":{ "remaining_s" in it, "since":, "reason":, "by":, "given_for":
 *                         one of them, and the server is in quarantine
 *   "order":{ "since":    begins another object of the entry, which has some of the same keys
 *
 * A quote of the text of a string has a backslash in front: no mark can stand in one.
 */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "codec/jsonget.h"
#include "codec/jsonlex.h"
#include "codec/state.h"

#define HELD "the state was damaged, so it holds until it is released; before: "
#define NAME_RAW_MAX (6U * SG_NAME_LEN) /* every character as an escape */

struct scan {
	const char *text;
	const char *end;
	struct state *found;
	size_t nameless;
	struct state_server entry;
	bool other; /* in another object than its quarantine */
};

static bool escaped(const struct scan *s, const char *quote)
{
	const char *p = quote;

	while (p > s->text && p[-1] == '\\')
		p--;
	return (quote - p) % 2;
}

static bool follows(const struct scan *s, const char *p, const char *mark)
{
	size_t n = strlen(mark);

	return (size_t)(s->end - p) >= n && !memcmp(p, mark, n);
}

/* A string between its quotes as text; false: it is none, or too long. */
static bool decode(const char *p, const char *end, char *out, size_t size)
{
	const char *at = p;
	bool ignored = false;
	size_t len = 0;

	if (json_string(&at, end, &ignored, &ignored) != JSON_ENDLESS || at != end ||
	    json_decode(p, (size_t)(end - p), out, size - 1, &len) ||
	    utf8_end(out, out + len) != out + len)
		return false;
	out[len] = '\0';
	return true;
}

/* --- entries ----------------------------------------------------------------------- */

static struct state_server *find(const struct state *s, const char *name)
{
	for (size_t i = 0; i < s->n_servers; i++)
		if (!strcmp(s->servers[i].name, name))
			return &s->servers[i];
	return NULL;
}

static struct state_server *find_origin(const struct state *s, const char *origin)
{
	for (size_t i = 0; i < s->n_servers && *origin; i++)
		if (!strcmp(s->servers[i].origin, origin))
			return &s->servers[i];
	return NULL;
}

static int add(struct state *s, const struct state_server *entry)
{
	struct state_server *more = reallocarray(s->servers, s->n_servers + 1, sizeof(*s->servers));

	if (!more)
		return -ENOMEM;
	s->servers = more;
	more[s->n_servers++] = *entry;
	return 0;
}

static int entry_end(struct scan *s)
{
	struct state_server *e = &s->entry;

	if (!e->quarantined)
		return 0;
	if (!*e->name && *e->origin) /* it is known by where it was */
		snprintf(e->name, sizeof(e->name), "damaged-%016llx",
			 (unsigned long long)fnv1a(e->origin, strlen(e->origin)));
	if (!*e->name || s->found->n_servers >= STATE_SERVERS_MAX) {
		s->nameless++;
		return 0;
	}
	if (find(s->found, e->name))
		return 0;
	e->quarantine_ns = SG_FOREVER;
	return add(s->found, e);
}

/* One begins; its name is the string that ends at `quote`. */
static int entry_begin(struct scan *s, const char *quote)
{
	const char *p = quote;
	int r = entry_end(s);

	s->entry = (struct state_server){};
	s->other = false;
	while (p > s->text && quote - p < (ptrdiff_t)NAME_RAW_MAX &&
	       (p == quote || *p != '"' || escaped(s, p)))
		p--;
	if (*quote == '"' && *p == '"' && p > s->text && (p[-1] == '{' || p[-1] == ',') &&
	    !decode(p + 1, quote, s->entry.name, sizeof(s->entry.name)))
		s->entry.name[0] = '\0';
	return r;
}

/* --- marks --------------------------------------------------------------------------- */

static bool key_is(const struct scan *s, const char *quote, const char *key)
{
	size_t n = strlen(key);

	return (size_t)(quote - s->text) > n && quote[-1 - (ptrdiff_t)n] == '"' &&
	       !memcmp(quote - n, key, n);
}

/* A key that ends at `quote`, before a colon and an object. */
static int object_begins(struct scan *s, const char *quote)
{
	const char *in = quote + strlen("\":{");

	if (follows(s, in, "\"state\":"))
		return entry_begin(s, quote);
	s->other = follows(s, in, "\"since\":") || key_is(s, quote, "order");
	if (follows(s, in, "\"remaining_s\":") || key_is(s, quote, "quarantine"))
		s->entry.quarantined = true;
	else if (!s->other && !key_is(s, quote, "servers"))
		return entry_begin(s, quote);
	return 0;
}

/* Is the key at p there, before a value that is no object? The value, else NULL. */
static const char *value_of_key(const struct scan *s, const char *p, const char *key)
{
	const char *value = p + strlen(key);

	return follows(s, p, key) && !follows(s, value, "{") ? value : NULL;
}

/* The string there, or nothing. */
static void take_text(const struct scan *s, const char *p, char *out, size_t size)
{
	const char *end = p + 1;
	bool ignored = false;

	if (p >= s->end || *p != '"' || json_string(&end, s->end, &ignored, &ignored) ||
	    !decode(p + 1, end, out, size))
		out[0] = '\0';
}

static void member(struct scan *s, const char *p)
{
	struct state_server *e = &s->entry;
	char since[40] = "";
	const struct {
		const char *key;
		bool proves; /* that it is in quarantine */
		char *text;
		size_t size;
	} members[] = {
		{ "\"since\":", true, since, sizeof(since) },
		{ "\"reason\":", true, e->reason, sizeof(e->reason) },
		{ "\"by\":", true, e->by, sizeof(e->by) },
		{ "\"given_for\":", true, e->given_for, sizeof(e->given_for) },
		{ "\"origin\":", false, e->origin, sizeof(e->origin) },
		{ "\"entry\":", false, e->entry, sizeof(e->entry) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *value = value_of_key(s, p, members[i].key);

		if (!value || (members[i].proves && s->other))
			continue;
		take_text(s, value, members[i].text, members[i].size);
		e->quarantined |= members[i].proves;
	}
	if (*since)
		(void)!time_parse(since, &e->since_wall_ns);
}

static int at_quote(struct scan *s, const char *p)
{
	bool in_object = p - s->text >= 3 && !memcmp(p - 3, "\":{", 3);

	if (follows(s, p, "\":{"))
		return object_begins(s, p);
	if (!in_object && value_of_key(s, p, "\"state\":"))
		return entry_begin(s, p - s->text >= 3 ? p - 3 : s->text);
	if (value_of_key(s, p, "\"since\":") && p - s->text >= 2 && (p[-1] == '{' || p[-2] == ':'))
		s->other = true;
	member(s, p);
	return 0;
}

int state_salvage(const char *text, size_t len, struct state *ret, size_t *ret_nameless)
{
	CLEANUP(state_done) struct state found = {};
	struct scan s = { .text = text, .end = text + len, .found = &found };
	int r = 0;

	for (const char *p = text; p < s.end && !r; p++)
		if (*p == '"' && !escaped(&s, p))
			r = at_quote(&s, p);
	if (!r)
		r = entry_end(&s);
	if (r)
		return r;
	*ret = found;
	found = (struct state){};
	*ret_nameless = s.nameless;
	return 0;
}

/* The reason of one that holds, cut where a character ends. */
static void reason_hold(char to[STATUS_REASON_LEN], const char *before)
{
	bool again = !strncmp(before, HELD, strlen(HELD));
	char text[sizeof(HELD) + STATUS_REASON_LEN];
	const char *end;

	snprintf(text, sizeof(text), "%s%s", again ? "" : HELD, before);
	text[STATUS_REASON_LEN - 1] = '\0';
	end = utf8_end(text, text + strlen(text));
	snprintf(to, STATUS_REASON_LEN, "%.*s", (int)(end - text), text);
}

/* What is known of it later counts, as far as it is known. */
static void hold(struct state_server *s, const struct state_server *was)
{
	s->quarantined = true;
	s->quarantine_ns = SG_FOREVER;
	s->since_wall_ns = was->since_wall_ns ? was->since_wall_ns : s->since_wall_ns;
	reason_hold(s->reason, was->reason[0] ? was->reason : s->reason);
	if (was->by[0])
		memcpy(s->by, was->by, sizeof(s->by));
	if (was->given_for[0])
		memcpy(s->given_for, was->given_for, sizeof(s->given_for));
}

int state_hold(struct state *to, const struct state *from)
{
	int r = 0;

	for (size_t i = 0; i < from->n_servers && !r; i++) {
		const struct state_server was = from->servers[i];
		struct state_server *s = find(to, was.name);
		struct state_server *there = find_origin(to, was.origin);

		if (!was.quarantined)
			continue;
		if (s)
			hold(s, &was);
		/* else the name is another one's: it was damaged */
		if (there && there != s)
			hold(there, &was);
		if (!s) {
			r = add(to, &was);
			if (!r)
				hold(&to->servers[to->n_servers - 1], &was);
		}
	}
	return r;
}
