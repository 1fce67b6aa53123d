/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/tools_file.h"

#include <errno.h>
#include <string.h>

#include "codec/checked.h"
#include "codec/fields.h"
#include "codec/findings.h"

#define DEPTH_MAX 8U
#define ENTRIES_MAX 4096U

/* clang-format off */
#define ENTRY(key, kind, member, ...) FIELD(key, kind, tools_entry, member, __VA_ARGS__)
static const struct field entry_fields[] = {
	ENTRY("name", KIND_TEXT, name),
	ENTRY("place", KIND_STRING, place),
	ENTRY("version", KIND_TEXT, version),
	ENTRY("seen_at", KIND_TIME, seen_wall_ns),
	ENTRY("approved_at", KIND_TIME, approved_wall_ns),
	ENTRY("approved_by", KIND_TEXT, approved_by),
	ENTRY("pulled", KIND_BOOL, pulled),
	FIELDS_STOP
};
/* clang-format on */

void tools_entry_done(struct tools_entry *e)
{
	free(e->place);
	tools_done(&e->seen);
	tools_done(&e->approved);
	*e = (struct tools_entry){ 0 };
}

void tools_file_done(struct tools_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		tools_entry_done(&f->v[i]);
	free(f->v);
	*f = (struct tools_file){ 0 };
}

/* --- what is told of it --------------------------------------------------------------------- */

int tools_entry_finding(const struct tools_entry *e, const char *text, uint64_t wall_ns,
			struct finding *ret)
{
	char hex[TOOLS_DIGEST_LEN];

	*ret = (struct finding){ .server.name = strdup(e->name),
				 .source = strdup(FINDING_OURS),
				 .rule = strdup(FINDING_RUG_PULL),
				 .location = strdup("tools/list"),
				 .digest = strdup(tools_hex(&e->seen, hex)),
				 .message = strdup(text),
				 .severity = FINDING_HIGH,
				 .confidence = 1,
				 .wall_ns = wall_ns };
	return ret->server.name && ret->source && ret->rule && ret->location && ret->digest &&
			       ret->message
		       ? 0
		       : -ENOMEM;
}

static int show_changes(const struct tools_entry *e, struct status_server *to)
{
	struct tool_change changes[TOOLS_CHANGES_SHOWN];
	size_t n = tools_diff(&e->approved, &e->seen, changes, TOOLS_CHANGES_SHOWN);

	n = n < TOOLS_CHANGES_SHOWN ? n : TOOLS_CHANGES_SHOWN;
	to->changed = n ? calloc(n, sizeof(*to->changed)) : NULL;
	if (n && !to->changed)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct status_tool *t = &to->changed[to->n_changed++];

		snprintf(t->name, sizeof(t->name), "%s", changes[i].name);
		snprintf(t->change, sizeof(t->change), "%s", tool_change_name(changes[i].kind));
		tool_fields_print(changes[i].fields, t->fields, sizeof(t->fields));
	}
	return 0;
}

int tools_entry_show(const struct tools_entry *e, struct status_server *to)
{
	struct status_tools *t = &to->tools;

	t->count = (uint32_t)e->seen.n;
	tools_hex(&e->seen, t->digest);
	tools_hex(&e->approved, t->approved_digest);
	memcpy(t->version, e->version, sizeof(t->version));
	t->seen_wall_ns = e->seen_wall_ns;
	t->approved = tools_equal(&e->seen, &e->approved);
	t->approved_wall_ns = e->approved_wall_ns;
	memcpy(t->approved_by, e->approved_by, sizeof(t->approved_by));
	return show_changes(e, to);
}

/* --- the file --------------------------------------------------------------------------------- */

/* What was seen is written only if it is not what is approved. */
int tools_file_encode(const struct tools_file *f, struct buf *out)
{
	CLEANUP(buf_done) struct buf body = BUF(TOOLS_FILE_MAX - 64);
	struct jsonw w;

	jsonw_init(&w, &body);
	jsonw_object(&w, NULL);
	jsonw_uint(&w, "version", TOOLS_FILE_VERSION);
	jsonw_list(&w, "servers");
	for (size_t i = 0; i < f->n; i++) {
		jsonw_object(&w, NULL);
		fields_write(&w, entry_fields, &f->v[i]);
		tools_write(&f->v[i].approved, "approved", &w);
		if (!tools_equal(&f->v[i].seen, &f->v[i].approved))
			tools_write(&f->v[i].seen, "seen", &w);
		jsonw_object_end(&w);
	}
	jsonw_list_end(&w);
	jsonw_object_end(&w);
	return buf_error(&body) ? buf_error(&body) : checked_write(&body, out);
}

static int read_entry(const struct json_object *obj, struct tools_entry *e)
{
	const struct json_object *seen = jget(obj, "seen");
	int r = fields_read(obj, entry_fields, e);

	if (r || !*e->name)
		return r ? r : -EBADMSG;
	r = tools_read(jget(obj, "approved"), &e->approved);
	if (r)
		return r;
	return seen ? tools_read(seen, &e->seen) : tools_copy(&e->approved, &e->seen);
}

int tools_file_decode(const char *text, size_t len, struct tools_file *ret, struct buf *why)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct json_object *list;
	size_t n;
	int r;

	*ret = (struct tools_file){ 0 };
	r = checked_read(text, len, DEPTH_MAX, TOOLS_FILE_VERSION, &root, why);
	if (r)
		return r;
	list = jget_list(root, "servers");
	n = list ? json_object_array_length(list) : ENTRIES_MAX + 1;
	ret->v = n > ENTRIES_MAX ? NULL : calloc(n + 1, sizeof(*ret->v));
	r = n > ENTRIES_MAX ? -EBADMSG : ret->v ? 0 : -ENOMEM;
	for (size_t i = 0; i < n && !r; i++)
		r = read_entry(json_object_array_get_idx(list, i), &ret->v[ret->n++]);
	if (!r)
		return 0;
	tools_file_done(ret);
	buf_puts(why, "not as it was written");
	return r;
}
