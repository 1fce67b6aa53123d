/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/trust_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "codec/checked.h"
#include "codec/fields.h"

#define DEPTH_MAX 8U
#define ENTRIES_MAX 4096U
#define TOOL_WORDS (sizeof(struct trust_tool) / sizeof(uint64_t))
#define LINE_MAX (64U << 10)
#define TRUST_SIZE 688
#define FINDING_SIZE 56

_Static_assert(sizeof(struct trust_tool) == TOOL_WORDS * sizeof(uint64_t), "is words");

/* A member more of these needs a row below, or it is forgotten at a restart. */
_Static_assert(sizeof(struct trust) == TRUST_SIZE && sizeof(struct trust_finding) == FINDING_SIZE,
	       "the tables are not of all members");

#define CONTAINER(member, type, name) ((type *)((char *)(member)-offsetof(type, name)))

void trust_entry_done(struct trust_entry *e)
{
	struct findings records = { .v = e->records, .n = e->n_records };

	findings_done(&records);
	free(e->findings);
	free(e->tools);
	*e = (struct trust_entry){ 0 };
}

void trust_file_done(struct trust_file *f)
{
	for (size_t i = 0; i < f->n_entries; i++)
		trust_entry_done(&f->entries[i]);
	free(f->entries);
	*f = (struct trust_file){ 0 };
}

uint64_t trust_file_clock(const struct trust_file *f, const struct state_clock *now)
{
	return f->clock_ns + state_passed_ns(&f->saved, now) - now->boot_ns;
}

/* --- members that no row knows ----------------------------------------------------------------- */

static void write_u8(struct jsonw *w, const char *key, const void *member)
{
	jsonw_uint(w, key, *(const uint8_t *)member);
}

static void read_u8(const struct json_object *obj, const char *key, void *member)
{
	uint64_t value = jget_uint(obj, key, 0);

	*(uint8_t *)member = value <= UINT8_MAX ? (uint8_t)value : UINT8_MAX;
}
#define U8 .write = write_u8, .read = read_u8

static void write_words(struct jsonw *w, const char *key, const uint64_t *words, size_t n)
{
	jsonw_list(w, key);
	for (size_t i = 0; i < n; i++)
		jsonw_uint(w, NULL, words[i]);
	jsonw_list_end(w);
}

static void read_words(const struct json_object *list, uint64_t *words, size_t n)
{
	memset(words, 0, n * sizeof(*words));
	for (size_t i = 0; list && i < n && i < json_object_array_length(list); i++)
		words[i] = json_object_get_uint64(json_object_array_get_idx(list, i));
}

static void write_pair(struct jsonw *w, const char *key, const void *member)
{
	write_words(w, key, member, 2);
}

static void read_pair(const struct json_object *obj, const char *key, void *member)
{
	read_words(jget_list(obj, key), member, 2);
}
#define PAIR .write = write_pair, .read = read_pair

/* A tool holds parts of words, so words it is. */
static void write_tool(struct jsonw *w, const char *key, const void *member)
{
	uint64_t words[TOOL_WORDS];

	memcpy(words, member, sizeof(words));
	write_words(w, key, words, TOOL_WORDS);
}

static void read_tool(const struct json_object *obj, const char *key, void *member)
{
	uint64_t words[TOOL_WORDS];

	read_words(jget_list(obj, key), words, TOOL_WORDS);
	memcpy(member, words, sizeof(words));
}
#define TOOL .write = write_tool, .read = read_tool

static void write_id(struct jsonw *w, const char *key, const void *member)
{
	const struct trust_id *id = member;
	char hex[2 * sizeof(id->b) + 1];

	for (size_t i = 0; i < sizeof(id->b); i++)
		snprintf(hex + 2 * i, 3, "%02x", id->b[i]);
	jsonw_text(w, key, hex);
}

static void read_id(const struct json_object *obj, const char *key, void *member)
{
	const char *hex = jget_text(obj, key, "");
	struct trust_id *id = member;

	*id = (struct trust_id){ 0 };
	if (strlen(hex) != 2 * sizeof(id->b))
		return;
	for (size_t i = 0; i < sizeof(id->b); i++) {
		int high = parse_hex(hex[2 * i]);
		int low = parse_hex(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		id->b[i] = (uint8_t)(high << 4 | low);
	}
}
#define ID .write = write_id, .read = read_id

/* A list of n elements at `from`, by a table. */
static void write_array(struct jsonw *w, const char *key, const struct field *fields,
			const void *from, size_t n, size_t size)
{
	jsonw_list(w, key);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(w, NULL);
		fields_write(w, fields, (const char *)from + i * size);
		jsonw_object_end(w);
	}
	jsonw_list_end(w);
}

/* How many there were, at most max. */
static size_t read_array(const struct json_object *obj, const char *key, const struct field *fields,
			 void *to, size_t max, size_t size)
{
	struct json_object *list = jget_list(obj, key);
	size_t n = list ? json_object_array_length(list) : 0;

	n = n < max ? n : max;
	for (size_t i = 0; i < n; i++) /* no strings or lists in it: cannot fail */
		(void)!fields_read(json_object_array_get_idx(list, i), fields,
				   (char *)to + i * size);
	return n;
}

/* --- tables ------------------------------------------------------------------------------------- */

/* clang-format off */
#define FINDING(key, kind, member, ...) FIELD(key, kind, trust_finding, member, __VA_ARGS__)
static const struct field finding_fields[] = {
	FINDING("identity", KIND_OTHER, identity, PAIR),
	FINDING("scanner", KIND_UINT64, scanner),
	FINDING("since", KIND_UINT64, since_ns),
	FINDING("seen", KIND_UINT64, seen_ns),
	FINDING("confidence", KIND_NUMBER, confidence),
	FINDING("ruleset", KIND_UINT32, ruleset),
	FINDING("severity", KIND_OTHER, severity, U8),
	FINDING("peak", KIND_OTHER, peak, U8),
	FINDING("flags", KIND_OTHER, flags, U8),
	FIELDS_STOP
};

static const struct field scar_fields[] = {
	FIELD("until", KIND_UINT64, trust_scar, until_ns),
	FIELD("high", KIND_UINT32, trust_scar, high),
	FIELD("critical", KIND_UINT32, trust_scar, critical),
	FIELDS_STOP
};

static const struct field change_fields[] = {
	FIELD("t", KIND_UINT64, trust_change, t_ns),
	FIELD("causes", KIND_UINT32, trust_change, causes),
	FIELD("n", KIND_UINT32, trust_change, n),
	FIELD("before", KIND_NUMBER, trust_change, before),
	FIELD("after", KIND_NUMBER, trust_change, after),
	FIELDS_STOP
};
/* clang-format on */

static void write_scars(struct jsonw *w, const char *key, const void *member)
{
	const struct trust_security *s = CONTAINER(member, const struct trust_security, scars);

	write_array(w, key, scar_fields, s->scars, s->n_scars, sizeof(s->scars[0]));
}

static void read_scars(const struct json_object *obj, const char *key, void *member)
{
	struct trust_security *s = CONTAINER(member, struct trust_security, scars);

	s->n_scars = (uint32_t)read_array(obj, key, scar_fields, s->scars, TRUST_SCARS,
					  sizeof(s->scars[0]));
}

/* As they lie in their ring. */
static void write_changes(struct jsonw *w, const char *key, const void *member)
{
	const struct trust *t = CONTAINER(member, const struct trust, changes);
	size_t n = t->n_changes < TRUST_CHANGES ? t->n_changes : TRUST_CHANGES;

	write_array(w, key, change_fields, t->changes, n, sizeof(t->changes[0]));
}

static void read_changes(const struct json_object *obj, const char *key, void *member)
{
	struct trust *t = CONTAINER(member, struct trust, changes);

	(void)read_array(obj, key, change_fields, t->changes, TRUST_CHANGES, sizeof(t->changes[0]));
}

/* clang-format off */
#define TRUST(key, kind, member, ...) FIELD(key, kind, trust, member, __VA_ARGS__)
static const struct field trust_fields[] = {
	FIELD_OBJECT("performance"),
		TRUST("fast_good", KIND_NUMBER, performance.fast.good),
		TRUST("fast_bad", KIND_NUMBER, performance.fast.bad),
		TRUST("slow_good", KIND_NUMBER, performance.slow.good),
		TRUST("slow_bad", KIND_NUMBER, performance.slow.bad),
		TRUST("evidence", KIND_UINT64, performance.evidence_ns),
		TRUST("bucket", KIND_UINT64, performance.bucket),
		TRUST("open_good", KIND_UINT64, performance.open_good),
		TRUST("open_bad", KIND_UINT64, performance.open_bad),
		TRUST("shared", KIND_OTHER, performance.shared, TOOL),
	FIELD_END,
	FIELD_OBJECT("security"),
		TRUST("anchor", KIND_NUMBER, security.anchor),
		TRUST("target", KIND_NUMBER, security.target),
		TRUST("anchor_at", KIND_UINT64, security.anchor_ns),
		TRUST("next", KIND_UINT64, security.next_ns),
		TRUST("scan", KIND_UINT64, security.scan_ns),
		TRUST("scars", KIND_OTHER, security.scars, .write = write_scars, .read = read_scars),
		TRUST("rest_known", KIND_OTHER, security.rest.known, PAIR),
		TRUST("rest_scanner", KIND_UINT64, security.rest.scanner),
		TRUST("rest_seen", KIND_UINT64, security.rest.seen_ns),
		TRUST("rest_ceiling", KIND_NUMBER, security.rest.ceiling),
		TRUST("rest_product", KIND_NUMBER, security.rest.product),
		TRUST("rest_ruleset", KIND_UINT32, security.rest.ruleset),
		TRUST("rest", KIND_UINT32, security.rest.n),
		TRUST("rest_worst", KIND_OTHER, security.rest.worst, U8),
		TRUST("rest_flags", KIND_OTHER, security.rest.flags, U8),
		TRUST("rest_blocks", KIND_BOOL, security.rest.blocks),
		TRUST("scanned", KIND_BOOL, security.scanned),
		TRUST("had_finding", KIND_BOOL, security.had_finding),
		TRUST("had_clean", KIND_BOOL, security.had_clean),
		TRUST("jump", KIND_BOOL, security.jump),
		TRUST("capped", KIND_BOOL, security.capped),
	FIELD_END,
	TRUST("identity", KIND_OTHER, identity, ID),
	TRUST("now", KIND_UINT64, now_ns),
	TRUST("since", KIND_UINT64, since_ns),
	TRUST("ratings", KIND_UINT64, ratings_ns),
	TRUST("ratings_good", KIND_NUMBER, ratings_good),
	TRUST("ratings_bad", KIND_NUMBER, ratings_bad),
	TRUST("clean", KIND_UINT64, clean_ns),
	TRUST("quarantine_at", KIND_UINT64, quarantine_ns),
	TRUST("dwell", KIND_UINT64, dwell_ns),
	TRUST("score", KIND_NUMBER, score),
	TRUST("noted", KIND_NUMBER, noted),
	TRUST("causes", KIND_UINT32, causes),
	TRUST("successes", KIND_UINT32, successes),
	TRUST("strikes", KIND_UINT32, strikes),
	TRUST("quarantines", KIND_UINT32, quarantines),
	TRUST("band", KIND_OTHER, band, U8),
	TRUST("quarantine", KIND_OTHER, quarantine, U8),
	TRUST("n_changes", KIND_UINT32, n_changes),
	TRUST("changes", KIND_OTHER, changes, .write = write_changes, .read = read_changes),
	FIELDS_STOP
};

/* Beside the model's state. */
#define ENTRY(key, kind, member, ...) FIELD(key, kind, trust_entry, member, __VA_ARGS__)
static const struct field entry_fields[] = {
	ENTRY("tools_digest", KIND_TEXT, tools_digest, .zero = ZERO_OMITTED),
	ENTRY("place", KIND_OTHER, place, ID),
	ENTRY("unpulled", KIND_NUMBER, unpulled),
	FIELDS_STOP
};

struct head {
	uint32_t version;
	uint64_t clock_ns;
	struct state_clock saved;
};

static const struct field head_fields[] = {
	FIELD("version", KIND_UINT32, head, version),
	FIELD("clock", KIND_UINT64, head, clock_ns),
	FIELD("boot_id", KIND_TEXT, head, saved.boot_id),
	FIELD("boot_s", KIND_SPAN, head, saved.boot_ns),
	FIELD("time", KIND_TIME, head, saved.wall_ns),
	FIELDS_STOP
};
/* clang-format on */

/* --- writing -------------------------------------------------------------------------------------- */

static int write_records(struct jsonw *w, const struct trust_entry *e)
{
	CLEANUP(buf_done) struct buf line = BUF(LINE_MAX);
	int r = 0;

	jsonw_list(w, "records");
	for (size_t i = 0; i < e->n_records && !r; i++) {
		buf_clear(&line);
		r = finding_encode(&e->records[i], &line);
		if (!r)
			jsonw_bytes(w, NULL, line.data, line.len - 1);
	}
	jsonw_list_end(w);
	return r;
}

static int write_entry(struct jsonw *w, const struct trust_entry *e)
{
	const struct trust *t = &e->trust;
	int r;

	jsonw_object(w, NULL);
	jsonw_text(w, "name", e->name);
	fields_write(w, entry_fields, e);
	fields_write(w, trust_fields, t);
	write_array(w, "findings", finding_fields, e->findings,
		    e->findings ? t->security.n_findings : 0, sizeof(*e->findings));
	jsonw_list(w, "tools");
	for (size_t i = 0; e->tools && i < TRUST_TOOLS; i++)
		write_tool(w, NULL, &e->tools[i]);
	jsonw_list_end(w);
	r = write_records(w, e);
	jsonw_object_end(w);
	return r;
}

int trust_file_encode(const struct trust_file *f, struct buf *out)
{
	struct head head = { .version = TRUST_FILE_VERSION,
			     .clock_ns = f->clock_ns,
			     .saved = f->saved };
	CLEANUP(buf_done) struct buf body = BUF(TRUST_FILE_MAX);
	struct jsonw w;
	int r = 0;

	jsonw_init(&w, &body);
	jsonw_object(&w, NULL);
	fields_write(&w, head_fields, &head);
	jsonw_list(&w, "servers");
	for (size_t i = 0; i < f->n_entries && !r; i++)
		r = write_entry(&w, &f->entries[i]);
	jsonw_list_end(&w);
	jsonw_object_end(&w);
	if (r || buf_error(&body))
		return r ? r : buf_error(&body);
	return checked_write(&body, out);
}

/* --- reading -------------------------------------------------------------------------------------- */

static int read_records(const struct json_object *obj, struct trust_entry *e)
{
	const struct findings_options o = { .format = FINDINGS_NATIVE, .file = "records" };
	struct json_object *list = jget_list(obj, "records");
	CLEANUP(buf_done) struct buf lines = BUF(FINDINGS_SIZE_MAX);
	CLEANUP(buf_done) struct buf errors = BUF(LINE_MAX);
	struct findings f;
	size_t n = list ? json_object_array_length(list) : 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		const char *line = json_object_get_string(json_object_array_get_idx(list, i));

		buf_puts(&lines, line ? line : "");
		buf_putc(&lines, '\n');
	}
	if (!n)
		return 0;
	r = findings_read(buf_str(&lines), lines.len, &o, &f, &errors);
	if (r)
		return r == -EINVAL ? -EBADMSG : r;
	e->records = f.v;
	e->n_records = f.n;
	return 0;
}

static int read_lists(const struct json_object *obj, struct trust_entry *e)
{
	struct json_object *tools = jget_list(obj, "tools");
	struct json_object *findings = jget_list(obj, "findings");

	if (findings && json_object_array_length(findings)) {
		e->findings = calloc(TRUST_FINDINGS, sizeof(*e->findings));
		if (!e->findings)
			return -ENOMEM;
		e->trust.security.n_findings = (uint32_t)read_array(obj, "findings", finding_fields,
								    e->findings, TRUST_FINDINGS,
								    sizeof(*e->findings));
	}
	if (tools && json_object_array_length(tools) == TRUST_TOOLS) {
		e->tools = calloc(TRUST_TOOLS, sizeof(*e->tools));
		if (!e->tools)
			return -ENOMEM;
		for (size_t i = 0; i < TRUST_TOOLS; i++) {
			uint64_t words[TOOL_WORDS];

			read_words(json_object_array_get_idx(tools, i), words, TOOL_WORDS);
			memcpy(&e->tools[i], words, sizeof(words));
		}
	}
	trust_give(&e->trust, e->tools, e->findings);
	return read_records(obj, e);
}

static int read_entry(struct json_object *obj, struct trust_entry *e)
{
	int r;

	if (!jget_copy(obj, "name", e->name, sizeof(e->name)) || !*e->name ||
	    !jget_object(obj, "security") || !jget_object(obj, "performance"))
		return -EBADMSG;
	r = fields_read(obj, entry_fields, e);
	if (!isfinite(e->unpulled))
		e->unpulled = 0; /* it was not, before there was such a member */
	if (!r)
		r = fields_read(obj, trust_fields, &e->trust);
	return r ? r : read_lists(obj, e);
}

static int read_root(const struct json_object *root, struct trust_file *f)
{
	struct json_object *list = jget_list(root, "servers");
	size_t n = list ? json_object_array_length(list) : ENTRIES_MAX + 1;
	struct head head = { 0 };
	int r = fields_read(root, head_fields, &head);

	if (r || n > ENTRIES_MAX)
		return r ? r : -EBADMSG;
	f->clock_ns = head.clock_ns;
	f->saved = head.saved;
	f->entries = calloc(n + 1, sizeof(*f->entries));
	if (!f->entries)
		return -ENOMEM;
	for (size_t i = 0; i < n && !r; i++)
		r = read_entry(json_object_array_get_idx(list, i), &f->entries[f->n_entries++]);
	return r;
}

int trust_file_decode(const char *text, size_t len, struct trust_file *ret, struct buf *why)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	int r;

	*ret = (struct trust_file){ 0 };
	r = checked_read(text, len, DEPTH_MAX, TRUST_FILE_VERSION, &root, why);
	if (r)
		return r;
	r = read_root(root, ret);
	if (r) {
		trust_file_done(ret);
		buf_puts(why, "not as it was written");
	}
	return r;
}
