/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/state.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "codec/fields.h"
#include "codec/jsonpos.h"
#include "core/names.h"

#define STATE_DEPTH_MAX 8U
#define ORDER_MAX_NS (10ULL * 366 * 86400 * 1000000000)
#define SEAL "{\"checksum\":\"%016llx\",\n"
#define SEAL_LEN 32U

void state_done(struct state *s)
{
	free(s->servers);
	*s = (struct state){ 0 };
}

/* --- breaker <-> entry ---------------------------------------------------------- */

static uint64_t left(uint64_t deadline_ns, uint64_t now_ns)
{
	if (deadline_ns == SG_FOREVER)
		return SG_FOREVER;
	return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

static uint64_t later(uint64_t now_ns, uint64_t ns)
{
	return ns >= SG_FOREVER - now_ns ? SG_FOREVER : now_ns + ns;
}

static bool is_order(unsigned int state)
{
	return state == SG_FORCED_OPEN || state == SG_FORCED_CLOSED || state == SG_DISABLED;
}

void state_server_take(struct state_server *ret, const char *name, const struct sg_breaker *b,
		       uint64_t now_ns)
{
	*ret = (struct state_server){
		.state = (enum sg_state)b->state,
		.shadow = b->shadow,
		.age_ns = left(now_ns, b->since_ns),
		.next_open_ns = b->next_open_ns,
		.this_open_ns = b->this_open_ns,
		.generation = b->generation,
		.streak = b->streak,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	if (b->state == SG_OPEN || b->state == SG_RAMP)
		ret->remaining_ns = left(b->deadline_ns, now_ns);
	if (b->shadow || is_order(b->state))
		ret->order_ns = left(b->order_until_ns, now_ns);
}

static bool same_boot(const struct state_clock *saved, const struct state_clock *now)
{
	return *saved->boot_id && !strcmp(saved->boot_id, now->boot_id);
}

uint64_t state_passed_ns(const struct state_clock *saved, const struct state_clock *now)
{
	return same_boot(saved, now) ? left(now->boot_ns, saved->boot_ns)
				     : left(now->wall_ns, saved->wall_ns);
}

uint64_t state_left_ns(const struct state_clock *saved, const struct state_clock *now,
		       uint64_t remaining_ns, uint64_t cap_ns)
{
	uint64_t ns;

	if (remaining_ns == SG_FOREVER)
		return SG_FOREVER;
	ns = left(remaining_ns, state_passed_ns(saved, now));
	return ns < cap_ns ? ns : cap_ns;
}

void state_server_restore(const struct state_server *s, const struct state_clock *saved,
			  const struct state_clock *now, uint64_t open_cap_ns, uint64_t ramp_ns,
			  struct sg_breaker *ret)
{
	uint64_t now_ns = now->boot_ns;
	uint64_t cap = s->state == SG_RAMP ? ramp_ns : open_cap_ns;
	struct sg_breaker b = {
		.since_ns = left(now_ns, later(s->age_ns, state_passed_ns(saved, now))),
		.next_open_ns = s->next_open_ns < open_cap_ns ? s->next_open_ns : open_cap_ns,
		.this_open_ns = s->this_open_ns < open_cap_ns ? s->this_open_ns : open_cap_ns,
		.generation = s->generation,
		.streak = same_boot(saved, now) ? s->streak : 0,
		.state = (__u8)s->state,
		.shadow = s->shadow,
		.may_trip = 1,
	};

	if (s->state == SG_OPEN || s->state == SG_RAMP) {
		uint64_t ns = state_left_ns(saved, now, s->remaining_ns, cap);

		b.deadline_ns = later(now_ns, ns < cap ? ns : cap);
	}
	if (s->state == SG_HALF_OPEN) {
		b.state = SG_OPEN;
		b.since_ns = now_ns;
		b.deadline_ns = now_ns ? now_ns : 1;
		b.generation++;
		b.streak = 0;
	}
	if (s->shadow || is_order(s->state))
		b.order_until_ns =
			later(now_ns, state_left_ns(saved, now, s->order_ns, ORDER_MAX_NS));
	*ret = b;
}

/* --- the document ----------------------------------------------------------------- */

#define SERVER(key, kind, member, ...) FIELD(key, kind, state_server, member, __VA_ARGS__)

/* clang-format off */
static const struct field server_fields[] = {
	SERVER("state", KIND_WORD, state, FIELD_WORDS(state, SG_CLOSED)),
	SERVER("shadow", KIND_BOOL, shadow),
	SERVER("age_s", KIND_SPAN, age_ns),
	SERVER("remaining_s", KIND_LEFT, remaining_ns),
	SERVER("order_s", KIND_LEFT, order_ns),
	SERVER("next_open_s", KIND_LEFT, next_open_ns),
	SERVER("this_open_s", KIND_LEFT, this_open_ns),
	SERVER("generation", KIND_UINT32, generation),
	SERVER("streak", KIND_UINT32, streak),
	SERVER("trips", KIND_UINT32, trips),
	SERVER("good_s", KIND_SPAN, good_ns),
	SERVER("quarantine", KIND_OBJECT, quarantined, .zero = ZERO_NULL),
		SERVER("remaining_s", KIND_LEFT, quarantine_ns),
		SERVER("since", KIND_TIME, since_wall_ns),
		SERVER("reason", KIND_TEXT, reason),
		SERVER("by", KIND_TEXT, by),
		SERVER("given_for", KIND_TEXT, given_for, .zero = ZERO_OMITTED),
	FIELD_END,
	SERVER("covered", KIND_BOOL, covered, .zero = ZERO_OMITTED),
	SERVER("shared", KIND_BOOL, shared, .zero = ZERO_OMITTED),
	SERVER("origin", KIND_TEXT, origin, .zero = ZERO_OMITTED),
	SERVER("entry", KIND_TEXT, entry, .zero = ZERO_OMITTED),
	SERVER("order", KIND_OBJECT, ordered, .zero = ZERO_NULL),
		SERVER("since", KIND_TIME, order_since_wall_ns),
		SERVER("reason", KIND_TEXT, order_reason),
		SERVER("by", KIND_TEXT, order_by),
		SERVER("given_for", KIND_TEXT, order_given_for, .zero = ZERO_OMITTED),
	FIELD_END,
	FIELDS_STOP
};

/* All but the servers. */
struct head {
	char checksum[SEAL_LEN]; /* written by the seal */
	uint32_t version;
	struct state_clock saved;
};

static const struct field head_fields[] = {
	FIELD("checksum", KIND_TEXT, head, checksum, .zero = ZERO_OMITTED),
	FIELD("version", KIND_UINT32, head, version),
	FIELD("boot_id", KIND_TEXT, head, saved.boot_id),
	FIELD("boot_s", KIND_SPAN, head, saved.boot_ns),
	FIELD("time", KIND_TIME, head, saved.wall_ns),
	FIELDS_STOP
};
/* clang-format on */

/* The first line of a document: FNV-1a of the bytes behind it. */
static void seal(char out[SEAL_LEN + 1], const char *rest, size_t len)
{
	snprintf(out, SEAL_LEN + 1, SEAL, (unsigned long long)fnv1a(rest, len));
}

static bool sealed(const char *text, size_t len)
{
	char expected[SEAL_LEN + 1];

	if (len <= SEAL_LEN)
		return false;
	seal(expected, text + SEAL_LEN, len - SEAL_LEN);
	return !memcmp(text, expected, SEAL_LEN);
}

/* --- writing ---------------------------------------------------------------------- */

static int write_body(const struct state *s, struct buf *out)
{
	const struct head head = { .version = STATE_VERSION, .saved = s->saved };
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	fields_write(&w, head_fields, &head);
	jsonw_object(&w, "servers");
	for (size_t i = 0; i < s->n_servers; i++) {
		jsonw_object(&w, s->servers[i].name);
		fields_write(&w, server_fields, &s->servers[i]);
		jsonw_object_end(&w);
	}
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	buf_putc(out, '\n');
	return buf_error(out);
}

int state_encode(const struct state *s, struct buf *out)
{
	CLEANUP(buf_done) struct buf body = BUF(STATE_SIZE_MAX);
	char line[SEAL_LEN + 1];
	int r = write_body(s, &body);

	if (r)
		return r;
	seal(line, body.data + 1, body.len - 1); /* it begins the object, too */
	buf_puts(out, line);
	buf_append(out, body.data + 1, body.len - 1);
	return buf_error(out);
}

/* --- reading ---------------------------------------------------------------------- */

/* An entry that is not as it was written is not guessed at. */
static int read_server(const char *name, struct json_object *obj, struct state_server *ret,
		       struct buf *why)
{
	int state = state_from_name(jget_text(obj, "state", ""));
	const char *wrong = NULL;
	const char *key = NULL;

	if (!*name || strlen(name) >= sizeof(ret->name))
		wrong = "its name is empty or too long";
	else if (!json_object_is_type(obj, json_type_object))
		wrong = "it is not an object";
	else if (state < 0 || state == SG_SHADOW)
		wrong = "its state is missing or unknown";
	else
		key = fields_strange(obj, server_fields);
	if (wrong || key) {
		buf_printf(why, "server \"%.64s\": ", name);
		if (wrong)
			buf_puts(why, wrong);
		else
			buf_printf(why, "\"%.64s\" is no key of it, or its value is none", key);
		return -EBADMSG;
	}
	*ret = (struct state_server){};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return fields_read(obj, server_fields, ret);
}

static int read_servers(struct json_object *list, struct state *s, struct buf *why)
{
	size_t n = (size_t)json_object_object_length(list);
	int r = 0;

	if (n > STATE_SERVERS_MAX) {
		buf_printf(why, "%zu servers, more than the %u there can be", n, STATE_SERVERS_MAX);
		return -EBADMSG;
	}
	s->servers = calloc(n + 1, sizeof(*s->servers));
	if (!s->servers)
		return -ENOMEM;
	json_object_object_foreach(list, name, obj)
	{
		r = read_server(name, obj, &s->servers[s->n_servers], why);
		if (r)
			break;
		s->n_servers++;
	}
	return r;
}

static int check_version(const struct json_object *root, bool is_sealed, struct buf *why)
{
	uint64_t version = jget_uint(root, "version", 0);
	bool has_seal = jget(root, "checksum");

	if (!version) {
		buf_puts(why, "not a state file of switchgeard (no \"version\")");
		return -EBADMSG;
	}
	if (version > STATE_VERSION && (is_sealed || !has_seal)) {
		buf_printf(why, "written in version %llu of the format, this daemon knows %u",
			   (unsigned long long)version, STATE_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (version == 1 ? !has_seal : is_sealed)
		return 0;
	buf_puts(why, "damaged: the checksum in its first line is of other bytes");
	return -EBADMSG;
}

static int parse(const char *text, size_t len, struct json_object **ret, struct buf *why)
{
	struct jsonpos_fault fault;
	int r;

	if (!len) {
		buf_puts(why, "empty");
		return -EBADMSG;
	}
	if (len > STATE_SIZE_MAX) {
		buf_printf(why, "%zu bytes, more than a state file can have", len);
		return -EBADMSG;
	}
	r = jsonpos_parse(text, len, STATE_DEPTH_MAX, ret, &fault);
	if (r && r != -ENOMEM) {
		buf_printf(why, "truncated or damaged in line %u, column %u: %s", fault.at.line,
			   fault.at.column, fault.what);
		return -EBADMSG;
	}
	return r;
}

/* Of a root whose version is right; takes the servers out of it. */
static int read_root(struct json_object *root, struct state *s, struct buf *why)
{
	CLEANUP(json_putp) struct json_object *list = json_object_get(jget_object(root, "servers"));
	struct head head = { 0 };
	const char *strange;
	int r;

	if (!list) {
		buf_puts(why, "truncated or damaged: no \"servers\"");
		return -EBADMSG;
	}
	json_object_object_del(root, "servers");
	strange = fields_strange(root, head_fields);
	if (strange) {
		buf_printf(why, "damaged: \"%.64s\" is no key of the format, or its value is none",
			   strange);
		return -EBADMSG;
	}
	r = fields_read(root, head_fields, &head);
	s->saved = head.saved;
	return r ? r : read_servers(list, s, why);
}

int state_decode(const char *text, size_t len, struct state *ret, struct buf *why)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	CLEANUP(state_done) struct state s = {};
	int r = parse(text, len, &root, why);

	if (!r)
		r = check_version(root, sealed(text, len), why);
	if (!r)
		r = read_root(root, &s, why);
	if (r)
		return r;
	*ret = s;
	s = (struct state){};
	return 0;
}
