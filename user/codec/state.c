/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/state.h"

#include <errno.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/jsonpos.h"
#include "core/names.h"

#define STATE_DEPTH_MAX 8U
#define ORDER_MAX_NS (10ULL * 366 * 86400 * 1000000000)
#define REMEDY "move it away to start with closed breakers and without quarantines"

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

static uint64_t passed(const struct state_clock *saved, const struct state_clock *now)
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
	ns = left(remaining_ns, passed(saved, now));
	return ns < cap_ns ? ns : cap_ns;
}

void state_server_restore(const struct state_server *s, const struct state_clock *saved,
			  const struct state_clock *now, uint64_t open_cap_ns, uint64_t ramp_ns,
			  struct sg_breaker *ret)
{
	uint64_t now_ns = now->boot_ns;
	uint64_t cap = s->state == SG_RAMP ? ramp_ns : open_cap_ns;
	struct sg_breaker b = {
		.since_ns = left(now_ns, later(s->age_ns, passed(saved, now))),
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
	SERVER("origin", KIND_TEXT, origin, .zero = ZERO_OMITTED),
	SERVER("entry", KIND_TEXT, entry, .zero = ZERO_OMITTED),
	SERVER("order", KIND_OBJECT, ordered, .zero = ZERO_NULL),
		SERVER("since", KIND_TIME, order_since_wall_ns),
		SERVER("reason", KIND_TEXT, order_reason),
		SERVER("by", KIND_TEXT, order_by),
	FIELD_END,
	FIELDS_STOP
};

static const struct field clock_fields[] = {
	FIELD("boot_id", KIND_TEXT, state_clock, boot_id),
	FIELD("boot_s", KIND_SPAN, state_clock, boot_ns),
	FIELD("time", KIND_TIME, state_clock, wall_ns),
	FIELDS_STOP
};
/* clang-format on */

/* --- writing ---------------------------------------------------------------------- */

int state_encode(const struct state *s, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_uint(&w, "version", STATE_VERSION);
	fields_write(&w, clock_fields, &s->saved);
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

/* --- reading ---------------------------------------------------------------------- */

/* An entry without a usable state or name is not guessed at; returns what is wrong. */
static const char *read_server(const char *name, struct json_object *obj, struct state_server *ret)
{
	int state = state_from_name(jget_text(obj, "state", ""));

	*ret = (struct state_server){};
	if (!*name || strlen(name) >= sizeof(ret->name))
		return "its name is empty or too long";
	if (!json_object_is_type(obj, json_type_object))
		return "it is not an object";
	if (state < 0 || state == SG_SHADOW)
		return "its state is missing or unknown";
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	fields_read(obj, server_fields, ret);
	return NULL;
}

static int read_servers(struct json_object *list, const char *file, struct state *s,
			struct buf *errors)
{
	size_t n = (size_t)json_object_object_length(list);

	if (n > STATE_SERVERS_MAX) {
		buf_printf(errors, "%s: %zu servers, more than the %u there can be; " REMEDY "\n",
			   file, n, STATE_SERVERS_MAX);
		return -EBADMSG;
	}
	s->servers = calloc(n + 1, sizeof(*s->servers));
	if (!s->servers)
		return -ENOMEM;
	json_object_object_foreach(list, name, obj)
	{
		const char *wrong = read_server(name, obj, &s->servers[s->n_servers]);

		if (wrong)
			buf_printf(errors, "%s: server \"%.64s\": %s, ignoring\n", file, name,
				   wrong);
		else
			s->n_servers++;
	}
	return 0;
}

static int check_version(const struct json_object *root, const char *file, struct buf *errors)
{
	uint64_t version = jget_uint(root, "version", 0);

	if (version == STATE_VERSION)
		return 0;
	if (!version) {
		buf_printf(errors,
			   "%s: not a state file of switchgeard (no \"version\"); " REMEDY "\n",
			   file);
		return -EBADMSG;
	}
	buf_printf(
		errors,
		"%s: written in version %llu of the format, this daemon knows %u; run the version "
		"that wrote it, or " REMEDY "\n",
		file, (unsigned long long)version, STATE_VERSION);
	return -EPROTONOSUPPORT;
}

static int parse(const char *text, size_t len, const char *file, struct json_object **ret,
		 struct buf *errors)
{
	struct jsonpos_fault fault;
	int r;

	if (!len) {
		buf_printf(errors, "%s: empty; " REMEDY "\n", file);
		return -EBADMSG;
	}
	if (len > STATE_SIZE_MAX) {
		buf_printf(errors, "%s: %zu bytes, more than a state file can have; " REMEDY "\n",
			   file, len);
		return -EBADMSG;
	}
	r = jsonpos_parse(text, len, STATE_DEPTH_MAX, ret, &fault);
	if (r && r != -ENOMEM) {
		buf_printf(errors, "%s:%u:%u: truncated or damaged: %s; " REMEDY "\n", file,
			   fault.at.line, fault.at.column, fault.what);
		return -EBADMSG;
	}
	return r;
}

int state_decode(const char *text, size_t len, const char *file, struct state *ret,
		 struct buf *errors)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	CLEANUP(state_done) struct state s = {};
	struct json_object *list;
	int r = parse(text, len, file, &root, errors);

	if (!r)
		r = check_version(root, file, errors);
	if (r)
		return r;
	list = jget_object(root, "servers");
	if (!list) {
		buf_printf(errors, "%s: truncated or damaged: no \"servers\"; " REMEDY "\n", file);
		return -EBADMSG;
	}
	fields_read(root, clock_fields, &s.saved);
	r = read_servers(list, file, &s, errors);
	if (r)
		return r;
	*ret = s;
	s = (struct state){};
	return 0;
}
