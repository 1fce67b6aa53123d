/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/state.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonpos.h"
#include "codec/jsonw.h"
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

/* --- writing ---------------------------------------------------------------------- */

/* Seconds, or null for ever. */
static void write_left(struct jsonw *w, const char *key, uint64_t ns)
{
	if (ns == SG_FOREVER)
		jsonw_null(w, key);
	else
		jsonw_seconds(w, key, ns);
}

static void write_server(struct jsonw *w, const struct state_server *s)
{
	jsonw_object(w, s->name);
	jsonw_text(w, "state", state_name(s->state));
	jsonw_bool(w, "shadow", s->shadow);
	jsonw_seconds(w, "age_s", s->age_ns);
	write_left(w, "remaining_s", s->remaining_ns);
	write_left(w, "order_s", s->order_ns);
	write_left(w, "next_open_s", s->next_open_ns);
	write_left(w, "this_open_s", s->this_open_ns);
	jsonw_uint(w, "generation", s->generation);
	jsonw_uint(w, "streak", s->streak);
	jsonw_uint(w, "trips", s->trips);
	jsonw_seconds(w, "good_s", s->good_ns);
	if (s->quarantined) {
		jsonw_object(w, "quarantine");
		write_left(w, "remaining_s", s->quarantine_ns);
		jsonw_time(w, "since", s->since_wall_ns);
		jsonw_text(w, "reason", s->reason);
		jsonw_text(w, "by", s->by);
		jsonw_object_end(w);
	} else {
		jsonw_null(w, "quarantine");
	}
	jsonw_object_end(w);
}

int state_encode(const struct state *s, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_uint(&w, "version", STATE_VERSION);
	jsonw_text(&w, "boot_id", s->saved.boot_id);
	jsonw_seconds(&w, "boot_s", s->saved.boot_ns);
	jsonw_time(&w, "time", s->saved.wall_ns);
	jsonw_object(&w, "servers");
	for (size_t i = 0; i < s->n_servers; i++)
		write_server(&w, &s->servers[i]);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	buf_putc(out, '\n');
	return buf_error(out);
}

/* --- reading ---------------------------------------------------------------------- */

/* A remaining time: null is for ever, missing or not a number is 0. */
static uint64_t read_left(const struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_object_get_ex(obj, key, &value) && !value)
		return SG_FOREVER;
	return jget_seconds(obj, key, 0);
}

/* An entry without a usable state or name is not guessed at; returns what is wrong. */
static const char *read_server(const char *name, struct json_object *obj, struct state_server *ret)
{
	const struct json_object *q = jget_object(obj, "quarantine");
	int state = state_from_name(jget_text(obj, "state", ""));

	*ret = (struct state_server){ .quarantined = q != NULL };
	if (!*name || strlen(name) >= sizeof(ret->name))
		return "its name is empty or too long";
	if (!json_object_is_type(obj, json_type_object))
		return "it is not an object";
	if (state < 0 || state == SG_SHADOW)
		return "its state is missing or unknown";
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->state = (enum sg_state)state;
	ret->shadow = jget_bool(obj, "shadow", false);
	ret->age_ns = jget_seconds(obj, "age_s", 0);
	ret->remaining_ns = read_left(obj, "remaining_s");
	ret->order_ns = read_left(obj, "order_s");
	ret->next_open_ns = read_left(obj, "next_open_s");
	ret->this_open_ns = read_left(obj, "this_open_s");
	ret->generation = jget_u32(obj, "generation");
	ret->streak = jget_u32(obj, "streak");
	ret->trips = jget_u32(obj, "trips");
	ret->good_ns = jget_seconds(obj, "good_s", 0);
	if (q) {
		ret->quarantine_ns = read_left(q, "remaining_s");
		ret->since_wall_ns = jget_time(q, "since", 0);
		jget_copy(q, "reason", ret->reason, sizeof(ret->reason));
		jget_copy(q, "by", ret->by, sizeof(ret->by));
	}
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
	jget_copy(root, "boot_id", s.saved.boot_id, sizeof(s.saved.boot_id));
	s.saved.boot_ns = jget_seconds(root, "boot_s", 0);
	s.saved.wall_ns = jget_time(root, "time", 0);
	r = read_servers(list, file, &s, errors);
	if (r)
		return r;
	*ret = s;
	s = (struct state){};
	return 0;
}
