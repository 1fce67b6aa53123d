/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/findings_read.h"

#include <errno.h>
#include <string.h>

#include "codec/jsonget.h"

static const char *const severities[] = {
	[FINDING_CLEAN] = "clean",   [FINDING_INFO] = "info", [FINDING_LOW] = "low",
	[FINDING_MEDIUM] = "medium", [FINDING_HIGH] = "high", [FINDING_CRITICAL] = "critical",
};
_Static_assert(ARRAY_SIZE(severities) == FINDING_SEVERITY_COUNT, "each has a name");

const char *finding_severity_name(unsigned int severity)
{
	return severity < FINDING_SEVERITY_COUNT ? severities[severity] : "?";
}

int finding_severity_from_name(const char *name)
{
	for (int i = 0; i < FINDING_SEVERITY_COUNT; i++)
		if (!strcmp(name, severities[i]))
			return i;
	return -EINVAL;
}

void finding_done(struct finding *f)
{
	free(f->server.name);
	free(f->server.url);
	free(f->server.command);
	free(f->source);
	free(f->version);
	free(f->rule);
	free(f->location);
	free(f->digest);
	free(f->message);
	free(f->evidence);
}

void findings_done(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		finding_done(&f->v[i]);
	free(f->v);
	*f = (struct findings){ 0 };
}

/* --- walking a document ---------------------------------------------------------------------- */

struct config_value finding_document(struct json_object *root)
{
	return (struct config_value){ .path = { .index = SIZE_MAX }, .obj = root };
}

const struct json_path *finding_path(const struct config_value *v)
{
	return v->path.up || v->path.key || v->path.index != SIZE_MAX ? &v->path : NULL;
}

bool finding_is(struct findings_reader *f, const struct config_value *v, enum json_type type,
		const char *wanted)
{
	return config_is_at(&f->r, finding_path(v), v->obj, type, wanted);
}

bool finding_member(const struct config_value *of, const char *key, struct config_value *ret)
{
	*ret = (struct config_value){ .path = { finding_path(of), key, 0 },
				      .obj = jget(of->obj, key) };
	return ret->obj;
}

static bool member_is(struct findings_reader *f, const struct config_value *of, const char *key,
		      enum json_type type, const char *wanted, struct config_value *ret)
{
	return finding_member(of, key, ret) && finding_is(f, ret, type, wanted);
}

bool finding_object(struct findings_reader *f, const struct config_value *of, const char *key,
		    struct config_value *ret)
{
	return member_is(f, of, key, json_type_object, "an object", ret);
}

bool finding_list(struct findings_reader *f, const struct config_value *of, const char *key,
		  struct config_value *ret)
{
	return member_is(f, of, key, json_type_array, "a list", ret);
}

size_t finding_count(const struct config_value *list)
{
	return json_object_array_length(list->obj);
}

bool finding_item(struct findings_reader *f, const struct config_value *list, size_t i,
		  struct config_value *ret)
{
	*ret = (struct config_value){ .path = { finding_path(list), NULL, i },
				      .obj = json_object_array_get_idx(list->obj, i) };
	return finding_is(f, ret, json_type_object, "an object");
}

const char *finding_text(struct findings_reader *f, const struct config_value *of, const char *key)
{
	struct config_value v;

	return member_is(f, of, key, json_type_string, "text", &v) ? json_object_get_string(v.obj)
								   : NULL;
}

const char *finding_needed(struct findings_reader *f, const struct config_value *of,
			   const char *key)
{
	struct config_value v;
	const char *text;

	if (!finding_member(of, key, &v)) {
		config_complain(&f->r, finding_path(of), true, "\"%s\" is missing", key);
		return NULL;
	}
	text = finding_text(f, of, key);
	if (text && !*text)
		config_complain(&f->r, finding_path(&v), true, "this is empty");
	return text;
}

double finding_number(struct findings_reader *f, const struct config_value *of, const char *key,
		      double min, double max, double fallback)
{
	struct config_value v;
	double x;

	if (!finding_member(of, key, &v))
		return fallback;
	if (!json_object_is_type(v.obj, json_type_int) &&
	    !finding_is(f, &v, json_type_double, "a number"))
		return fallback;
	x = json_object_get_double(v.obj);
	if (x >= min && x <= max)
		return x;
	config_complain(&f->r, finding_path(&v), true, "%g is outside of %g to %g", x, min, max);
	return fallback;
}

bool finding_bool(struct findings_reader *f, const struct config_value *of, const char *key,
		  bool fallback)
{
	struct config_value v;

	if (!member_is(f, of, key, json_type_boolean, "true or false", &v))
		return fallback;
	return json_object_get_boolean(v.obj);
}

int finding_index(struct findings_reader *f, const struct config_value *of, const char *key)
{
	double x = finding_number(f, of, key, -1, INT32_MAX, -1);

	return (int)x;
}

uint64_t finding_time(struct findings_reader *f, const struct config_value *of, const char *key)
{
	const char *text = finding_text(f, of, key);
	struct config_value v;
	uint64_t ns = 0;

	if (text && time_parse(text, &ns)) {
		(void)!finding_member(of, key, &v);
		config_complain(&f->r, finding_path(&v), true,
				"this is no time; one is like \"2026-01-31T12:00:00Z\"");
	}
	return ns;
}

/* --- records --------------------------------------------------------------------------------- */

/* One line of it, cut at a character's end. */
static char *copied(struct findings_reader *f, const char *text, bool redact)
{
	CLEANUP(buf_done) struct buf shown = BUF(2 * FINDINGS_SIZE_MAX);
	const char *end;
	char *copy;

	if (!text || !*text)
		return NULL;
	if (redact) {
		url_redact(text, URL_MASKED, &shown);
		text = buf_str(&shown);
	}
	end = text + strnlen(text, FINDING_TEXT_MAX);
	while (end > text && *end && ((unsigned char)*end & 0xc0) == 0x80)
		end--;
	copy = strndup(text, (size_t)(end - text));
	if (!copy || buf_error(&shown)) {
		config_no_memory(&f->r);
		free(copy);
		return NULL;
	}
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return copy;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_finding(const struct finding *a, const struct finding *b)
{
	return same(a->rule, b->rule) && same(a->location, b->location) &&
	       same(a->source, b->source) && same(a->digest, b->digest) &&
	       same(a->server.name, b->server.name) && same(a->server.url, b->server.url) &&
	       same(a->server.command, b->server.command);
}

static struct finding *find_same(const struct findings *all, const struct finding *f)
{
	for (size_t i = 0; i < all->n; i++)
		if (same_finding(&all->v[i], f))
			return &all->v[i];
	return NULL;
}

static bool worse(const struct finding *a, const struct finding *b)
{
	return a->severity != b->severity ? a->severity > b->severity
					  : a->confidence > b->confidence;
}

/* Takes *made over. */
static void keep(struct findings_reader *f, const struct config_value *at, struct finding *made)
{
	struct finding *before = find_same(f->to, made);
	struct finding *v;

	if (before && !worse(made, before)) {
		finding_done(made);
		return;
	}
	if (before) {
		finding_done(before);
		*before = *made;
		return;
	}
	v = f->to->n < FINDINGS_MAX ? reallocarray(f->to->v, f->to->n + 1, sizeof(*v)) : NULL;
	if (!v) {
		finding_done(made);
		if (f->to->n < FINDINGS_MAX)
			config_no_memory(&f->r);
		else
			config_complain(&f->r, finding_path(at), true,
					"more than %u findings; split the file", FINDINGS_MAX);
		return;
	}
	f->to->v = v;
	v[f->to->n++] = *made;
}

void finding_add(struct findings_reader *f, const struct config_value *at,
		 const struct finding_draft *d)
{
	bool named = (d->name && *d->name) || (d->url && *d->url) || (d->command && *d->command);
	struct finding made = { .severity = d->severity,
				.confidence = d->confidence,
				.wall_ns = d->wall_ns };

	if (f->r.n_errors)
		return; /* nothing of this file will be used */
	made.server.name = copied(f, named ? d->name : f->o->server, false);
	made.server.url = copied(f, d->url, false);
	made.server.command = copied(f, d->command, false);
	made.source = copied(f, d->source, false);
	made.version = copied(f, d->version, false);
	made.rule = copied(f, d->severity == FINDING_CLEAN ? NULL : d->rule, false);
	made.location = copied(f, d->location, true);
	made.digest = copied(f, d->digest, false);
	made.message = copied(f, d->message, true);
	made.evidence = copied(f, d->evidence, false);
	if (f->r.no_memory)
		finding_done(&made);
	else
		keep(f, at, &made);
}

void finding_transport(struct findings_reader *f, const struct config_value *of, const char **url,
		       struct buf *command)
{
	struct config_value args;
	bool secret;
	const char *program;

	*url = finding_text(f, of, "url");
	if (*url)
		return;
	program = finding_text(f, of, "command");
	if (!program)
		return;
	secret = command_print_arg(program, false, command);
	if (!finding_list(f, of, "args", &args))
		return;
	for (size_t i = 0; i < finding_count(&args); i++) {
		const char *arg = json_object_get_string(json_object_array_get_idx(args.obj, i));

		buf_putc(command, ' ');
		secret = command_print_arg(arg ? arg : "", secret, command);
	}
}
