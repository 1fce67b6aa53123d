/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events, one JSON object each: a call as simulate reads it, or an `event`. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonw.h"
#include "codec/messages.h"
#include "core/names.h"

#define EVENT_SIZE_MAX 8192U
#define EVENT_DEPTH_MAX 8U

/* Exact boot seconds: a double holds ns only for the first 104 days. */
static void write_call(struct jsonw *w, const struct event *e)
{
	jsonw_text(w, "op", "call");
	jsonw_text(w, "outcome", class_name(e->outcome));
	if (e->latency_ns != STATUS_NEVER)
		jsonw_seconds(w, "latency", e->latency_ns);
	if (e->retry_after_ns)
		jsonw_seconds(w, "retry_after", e->retry_after_ns);
	if (e->cause != SG_CAUSE_NONE)
		jsonw_text(w, "cause", cause_name(e->cause));
	if (e->status)
		jsonw_uint(w, "status", e->status);
}

static void write_transition(struct jsonw *w, const struct event *e)
{
	jsonw_text(w, "from", state_name(e->from));
	jsonw_text(w, "to", state_name(e->to));
	jsonw_text(w, "reason", reason_name(e->reason));
	jsonw_double(w, "failure_rate", e->failure_rate);
	jsonw_double(w, "slow_rate", e->slow_rate);
	jsonw_uint(w, "calls", e->calls);
	if (e->open_ns == STATUS_NEVER)
		jsonw_null(w, "open_seconds");
	else
		jsonw_seconds(w, "open_seconds", e->open_ns);
}

static void write_killed(struct jsonw *w, const struct event *e)
{
	jsonw_uint(w, "killed", e->killed);
	jsonw_count(w, "survivors", e->survivors);
	jsonw_count(w, "busy", e->busy);
	if (*e->error)
		jsonw_text(w, "error", e->error);
}

static void write_quarantine(struct jsonw *w, const struct event *e)
{
	jsonw_text(w, "reason", e->text);
	if (e->until_wall_ns == STATUS_NEVER)
		jsonw_null(w, "until");
	else
		jsonw_time(w, "until", e->until_wall_ns);
	jsonw_text(w, "by", e->by);
	write_killed(w, e);
}

static void write_members(struct jsonw *w, const struct event *e)
{
	switch (e->type) {
	case EVENT_CALL:
		write_call(w, e);
		return;
	case EVENT_TRANSITION:
		write_transition(w, e);
		return;
	case EVENT_QUARANTINE:
		write_quarantine(w, e);
		return;
	case EVENT_RELEASE:
		jsonw_text(w, "by", e->by);
		return;
	case EVENT_KILL:
		write_killed(w, e);
		return;
	case EVENT_LOSS:
		jsonw_uint(w, "count", e->count);
		return;
	case EVENT_SELFTEST:
		jsonw_bool(w, "ok", e->ok);
		jsonw_text(w, "detail", e->text);
		return;
	case EVENT_ALARM:
	case EVENT_RELOAD:
		jsonw_text(w, "detail", e->text);
		return;
	case EVENT_TYPE_COUNT:
		break;
	}
}

int event_encode(const struct event *e, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_seconds(&w, "t", e->t_ns);
	jsonw_time(&w, "time", e->wall_ns);
	jsonw_text(&w, "server", *e->server ? e->server : NULL);
	if (*e->tool)
		jsonw_text(&w, "tool", e->tool);
	if (e->type != EVENT_CALL)
		jsonw_text(&w, "event", event_type_name(e->type));
	write_members(&w, e);
	jsonw_object_end(&w);
	return buf_error(out);
}

static int read_type(const struct json_object *obj, enum event_type *ret)
{
	const char *op = jget_text(obj, "op", NULL);
	const char *name = jget_text(obj, "event", NULL);
	int type;

	if (!op && !name)
		return -EBADMSG;
	if (!name && strcmp(op, "call"))
		return -ENOTSUP;
	type = event_type_from_name(name ? name : op);
	if (type < 0 || (name && type == EVENT_CALL))
		return -ENOTSUP;
	*ret = (enum event_type)type;
	return 0;
}

static void read_words(const struct json_object *obj, struct event *e)
{
	int outcome = class_from_name(jget_text(obj, "outcome", ""));
	int cause = cause_from_name(jget_text(obj, "cause", ""));
	int from = state_from_name(jget_text(obj, "from", ""));
	int to = state_from_name(jget_text(obj, "to", ""));
	int reason = e->type == EVENT_TRANSITION ? reason_from_name(jget_text(obj, "reason", ""))
						 : SG_REASON_NONE;

	e->outcome = outcome < 0 ? SG_LOCAL : (enum sg_class)outcome;
	e->cause = cause < 0 ? SG_CAUSE_NONE : (enum sg_cause)cause;
	e->from = from < 0 ? SG_CLOSED : (enum sg_state)from;
	e->to = to < 0 ? SG_CLOSED : (enum sg_state)to;
	e->reason = reason < 0 ? SG_REASON_NONE : (enum sg_reason)reason;
}

static void read_killed(const struct json_object *obj, struct event *e)
{
	e->killed = jget_u32(obj, "killed");
	e->survivors = jget_count(obj, "survivors");
	e->busy = jget_count(obj, "busy");
	jget_copy(obj, "error", e->error, sizeof(e->error));
}

static void read_event(const struct json_object *obj, struct event *e)
{
	const char *text = e->type == EVENT_QUARANTINE ? "reason" : "detail";

	read_words(obj, e);
	e->t_ns = jget_seconds(obj, "t", 0);
	e->wall_ns = jget_time(obj, "time", 0);
	jget_copy(obj, "server", e->server, sizeof(e->server));
	jget_copy(obj, "tool", e->tool, sizeof(e->tool));
	jget_copy(obj, "by", e->by, sizeof(e->by));
	jget_copy(obj, text, e->text, sizeof(e->text));
	e->latency_ns = jget_seconds(obj, "latency", STATUS_NEVER);
	e->retry_after_ns = jget_seconds(obj, "retry_after", 0);
	e->status = (uint16_t)jget_uint(obj, "status", 0);
	e->failure_rate = jget_double(obj, "failure_rate", NAN);
	e->slow_rate = jget_double(obj, "slow_rate", NAN);
	e->calls = jget_u32(obj, "calls");
	e->open_ns =
		jget_seconds(obj, "open_seconds", e->type == EVENT_TRANSITION ? STATUS_NEVER : 0);
	e->until_wall_ns = jget_time(obj, "until", STATUS_NEVER);
	if (e->type == EVENT_QUARANTINE || e->type == EVENT_KILL)
		read_killed(obj, e);
	e->count = jget_uint(obj, "count", 0);
	e->ok = jget_bool(obj, "ok", false);
}

int event_decode(const char *text, size_t len, struct event *ret)
{
	struct json_object *root CLEANUP(json_putp) = NULL;
	struct event e = {};
	int r;

	if (len > EVENT_SIZE_MAX)
		return -EBADMSG;
	r = json_parse(text, len, EVENT_DEPTH_MAX, &root);
	if (!r)
		r = read_type(root, &e.type);
	if (r < 0)
		return r;
	read_event(root, &e);
	*ret = e;
	return 0;
}
