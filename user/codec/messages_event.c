/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events, one JSON object each: a call as simulate reads it, or an `event`. One
 * list of fields for both directions.
 */
#include <errno.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/messages.h"
#include "core/event.h"
#include "core/names.h"

#define EVENT_SIZE_MAX 8192U
#define EVENT_DEPTH_MAX 8U

#define IN(type) (1U << EVENT_##type)
#define KILLS (IN(QUARANTINE) | IN(KILL))
#define BY                                                                                        \
	(IN(QUARANTINE) | IN(RELEASE) | IN(RESET) | IN(ONE_CLIENT) | IN(BYPASS) | IN(ISOLATION) | \
	 IN(CAPTURE))
#define WHO (IN(CALL) | IN(DENIAL))
#define ANY ((1U << EVENT_TYPE_COUNT) - 1)

/* A member, and the types of events that have it. */
struct row {
	unsigned int types;
	struct field field;
};
#define ROW(types, ...)                      \
	{                                    \
		types, FIELD_OF(__VA_ARGS__) \
	}
#define FIELD_OF(key, kind, ...) FIELD(key, kind, event, __VA_ARGS__)

/* In the order of JSON. A key may stand for several members, of different types. */
/* clang-format off */
static const struct row rows[] = {
	ROW(ANY, "t", KIND_SPAN, t_ns),
	ROW(ANY, "time", KIND_TIME, wall_ns),
	ROW(ANY, "server", KIND_TEXT, server, .zero = ZERO_NULL),
	ROW(ANY, "tool", KIND_TEXT, tool, .zero = ZERO_OMITTED),
	ROW(IN(CALL), "op", KIND_WORD, type, FIELD_WORDS(event_type, EVENT_CALL)),
	ROW(ANY & ~IN(CALL), "event", KIND_WORD, type, FIELD_WORDS(event_type, EVENT_CALL)),
	ROW(IN(CALL), "outcome", KIND_WORD, outcome, FIELD_WORDS(class, SG_UNKNOWN)),
	ROW(IN(CALL), "latency", KIND_SPAN, latency_ns, .zero = ZERO_OMITTED, .none = STATUS_NEVER),
	ROW(IN(CALL), "retry_after", KIND_SPAN, retry_after_ns, .zero = ZERO_OMITTED),
	ROW(IN(CALL), "cause", KIND_WORD, cause, .zero = ZERO_OMITTED, FIELD_WORDS(cause, SG_CAUSE_NONE)),
	ROW(IN(CALL), "status", KIND_UINT16, status, .zero = ZERO_OMITTED),
	ROW(IN(CALL), "corrected", KIND_BOOL, corrected, .zero = ZERO_OMITTED),
	ROW(IN(CALL), "estimate", KIND_BOOL, estimate, .zero = ZERO_OMITTED),
	ROW(WHO, "pid", KIND_UINT32, pid, .zero = ZERO_OMITTED),
	ROW(WHO, "comm", KIND_TEXT, comm, .zero = ZERO_OMITTED),
	ROW(WHO, "cgroup", KIND_TEXT, text, .zero = ZERO_OMITTED),
	ROW(WHO, "address", KIND_TEXT, address, .zero = ZERO_OMITTED),
	ROW(IN(TRANSITION), "from", KIND_WORD, from, FIELD_WORDS(state, SG_CLOSED)),
	ROW(IN(TRANSITION), "to", KIND_WORD, to, FIELD_WORDS(state, SG_CLOSED)),
	ROW(IN(TRANSITION), "reason", KIND_WORD, reason, FIELD_WORDS(reason, SG_REASON_NONE)),
	ROW(IN(TRANSITION), "failure_rate", KIND_NUMBER, failure_rate),
	ROW(IN(TRANSITION), "slow_rate", KIND_NUMBER, slow_rate),
	ROW(IN(TRANSITION), "calls", KIND_UINT32, calls),
	ROW(IN(TRANSITION), "open_seconds", KIND_SPAN, open_ns, .zero = ZERO_NULL, .none = STATUS_NEVER),
	ROW(IN(BYPASS), "on", KIND_BOOL, ok),
	ROW(IN(ISOLATION), "state", KIND_TEXT, error),
	ROW(IN(ISOLATION), "cgroup", KIND_TEXT, cgroup, .zero = ZERO_NULL),
	ROW(IN(ISOLATION), "cut", KIND_UINT32, killed),
	ROW(IN(ISOLATION), "survivors", KIND_COUNT, survivors),
	ROW(IN(ISOLATION), "frozen", KIND_BOOL, frozen),
	ROW(IN(ISOLATION), "forced", KIND_BOOL, forced),
	ROW(IN(ISOLATION), "detail", KIND_TEXT, detail, .zero = ZERO_OMITTED),
	ROW(IN(QUARANTINE) | IN(BYPASS) | IN(ISOLATION), "reason", KIND_TEXT, text),
	ROW(IN(QUARANTINE) | IN(BYPASS), "until", KIND_TIME, until_wall_ns, .none = STATUS_NEVER),
	ROW(BY, "by", KIND_TEXT, by),
	ROW(IN(TRANSITION) | IN(CALL) | IN(TOOLS), "by", KIND_TEXT, by, .zero = ZERO_OMITTED),
	ROW(IN(TRANSITION) | IN(RELEASE) | IN(RESET), "text", KIND_TEXT, text, .zero = ZERO_OMITTED),
	ROW(IN(FINDING), "severity", KIND_TEXT, severity),
	ROW(IN(FINDING), "by", KIND_TEXT, by),
	ROW(IN(FINDING), "detail", KIND_TEXT, text),
	ROW(KILLS, "killed", KIND_UINT32, killed),
	ROW(KILLS, "survivors", KIND_COUNT, survivors),
	ROW(KILLS, "busy", KIND_COUNT, busy),
	ROW(KILLS, "error", KIND_TEXT, error, .zero = ZERO_OMITTED),
	ROW(IN(LOSS), "count", KIND_UINT64, count),
	ROW(IN(SELFTEST), "ok", KIND_BOOL, ok),
	ROW(IN(HOST_OFFLINE), "over", KIND_BOOL, ok),
	ROW(IN(HOST_OFFLINE), "route", KIND_TEXT, error),
	ROW(IN(HOST_OFFLINE), "servers", KIND_UINT64, count),
	ROW(IN(TOOLS), "change", KIND_TEXT, error),
	ROW(IN(TOOLS), "count", KIND_UINT64, count),
	ROW(IN(ALARM) | IN(FALLBACK) | IN(TOOLS) | IN(RELOAD) | IN(SELFTEST) | IN(ONE_CLIENT) | IN(HOST_OFFLINE), "detail", KIND_TEXT, text),
};
/* clang-format on */

/* The table of one type. */
struct table {
	struct field fields[ARRAY_SIZE(rows) + 1];
};

static struct table table_of(enum event_type type)
{
	struct table t;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].types & 1U << type)
			t.fields[n++] = rows[i].field;
	t.fields[n] = (struct field)FIELDS_STOP;
	return t;
}

int event_encode(const struct event *e, enum url_view view, struct buf *out)
{
	struct table t = table_of(e->type);
	struct document d = { .fields = t.fields };

	return document_encode(&d, e, view, out);
}

/* --- reading ------------------------------------------------------------------- */

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

int event_decode(const char *text, size_t len, struct event *ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	enum event_type type;
	struct table t;
	int r;

	if (len > EVENT_SIZE_MAX)
		return -EBADMSG;
	r = json_parse(text, len, EVENT_DEPTH_MAX, &root);
	if (!r)
		r = read_type(root, &type);
	if (r)
		return r;
	event_init(ret, type);
	t = table_of(type);
	return fields_read(root, t.fields, ret);
}
