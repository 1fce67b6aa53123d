/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/event.h"

#include <math.h>
#include <string.h>

#include "core/names.h"

static const char *const event_types[] = {
	[EVENT_CALL] = "call",
	[EVENT_TRANSITION] = "transition",
	[EVENT_QUARANTINE] = "quarantine",
	[EVENT_RELEASE] = "release",
	[EVENT_KILL] = "kill",
	[EVENT_ALARM] = "alarm",
	[EVENT_LOSS] = "loss",
	[EVENT_RELOAD] = "reload",
	[EVENT_SELFTEST] = "selftest",
};
_Static_assert(ARRAY_SIZE(event_types) == EVENT_TYPE_COUNT, "an event type has no name");

const char *event_type_name(unsigned int type)
{
	return name_of(event_types, ARRAY_SIZE(event_types), type);
}

int event_type_from_name(const char *name)
{
	return value_of(event_types, ARRAY_SIZE(event_types), name);
}

#define MEMBER(m) offsetof(struct event, m), sizeof(((struct event *)0)->m)
#define WORDS(noun) noun##_name, noun##_from_name
#define NO_WORDS NULL, NULL
#define CALL (1U << EVENT_CALL)
#define TRANSITION (1U << EVENT_TRANSITION)
#define QUARANTINE (1U << EVENT_QUARANTINE)
#define RELEASE (1U << EVENT_RELEASE)
#define KILL (1U << EVENT_KILL)
#define ALARM (1U << EVENT_ALARM)
#define LOSS (1U << EVENT_LOSS)
#define RELOAD (1U << EVENT_RELOAD)
#define SELFTEST (1U << EVENT_SELFTEST)
#define KILLS (QUARANTINE | KILL)
#define ANY ((1U << EVENT_TYPE_COUNT) - 1)

/* clang-format off */
const struct event_field event_fields[] = {
	{ "t", FIELD_SPAN, MEMBER(t_ns), ANY, AS_IS, 0, NO_WORDS },
	{ "time", FIELD_TIME, MEMBER(wall_ns), ANY, AS_IS, 0, NO_WORDS },
	{ "server", FIELD_TEXT, MEMBER(server), ANY, AS_NULL, 0, NO_WORDS },
	{ "tool", FIELD_TEXT, MEMBER(tool), ANY, LEFT_OUT, 0, NO_WORDS },
	{ "op", FIELD_WORD, MEMBER(type), CALL, AS_IS, EVENT_CALL, WORDS(event_type) },
	{ "event", FIELD_WORD, MEMBER(type), ANY & ~CALL, AS_IS, EVENT_CALL, WORDS(event_type) },
	{ "outcome", FIELD_WORD, MEMBER(outcome), CALL, AS_IS, SG_LOCAL, WORDS(class) },
	{ "latency", FIELD_SPAN, MEMBER(latency_ns), CALL, LEFT_OUT, STATUS_NEVER, NO_WORDS },
	{ "retry_after", FIELD_SPAN, MEMBER(retry_after_ns), CALL, LEFT_OUT, 0, NO_WORDS },
	{ "cause", FIELD_WORD, MEMBER(cause), CALL, LEFT_OUT, SG_CAUSE_NONE, WORDS(cause) },
	{ "status", FIELD_NUMBER, MEMBER(status), CALL, LEFT_OUT, 0, NO_WORDS },
	{ "from", FIELD_WORD, MEMBER(from), TRANSITION, AS_IS, SG_CLOSED, WORDS(state) },
	{ "to", FIELD_WORD, MEMBER(to), TRANSITION, AS_IS, SG_CLOSED, WORDS(state) },
	{ "reason", FIELD_WORD, MEMBER(reason), TRANSITION, AS_IS, SG_REASON_NONE, WORDS(reason) },
	{ "failure_rate", FIELD_RATE, MEMBER(failure_rate), TRANSITION, AS_NULL, 0, NO_WORDS },
	{ "slow_rate", FIELD_RATE, MEMBER(slow_rate), TRANSITION, AS_NULL, 0, NO_WORDS },
	{ "calls", FIELD_NUMBER, MEMBER(calls), TRANSITION, AS_IS, 0, NO_WORDS },
	{ "open_seconds", FIELD_SPAN, MEMBER(open_ns), TRANSITION, AS_NULL, STATUS_NEVER, NO_WORDS },
	{ "reason", FIELD_TEXT, MEMBER(text), QUARANTINE, AS_IS, 0, NO_WORDS },
	{ "until", FIELD_TIME, MEMBER(until_wall_ns), QUARANTINE, AS_NULL, STATUS_NEVER, NO_WORDS },
	{ "by", FIELD_TEXT, MEMBER(by), QUARANTINE | RELEASE, AS_IS, 0, NO_WORDS },
	{ "killed", FIELD_NUMBER, MEMBER(killed), KILLS, AS_IS, 0, NO_WORDS },
	{ "survivors", FIELD_COUNT, MEMBER(survivors), KILLS, AS_NULL, STATUS_UNKNOWN, NO_WORDS },
	{ "busy", FIELD_COUNT, MEMBER(busy), KILLS, AS_NULL, STATUS_UNKNOWN, NO_WORDS },
	{ "error", FIELD_TEXT, MEMBER(error), KILLS, LEFT_OUT, 0, NO_WORDS },
	{ "count", FIELD_NUMBER, MEMBER(count), LOSS, AS_IS, 0, NO_WORDS },
	{ "ok", FIELD_BOOL, MEMBER(ok), SELFTEST, AS_IS, 0, NO_WORDS },
	{ "detail", FIELD_TEXT, MEMBER(text), ALARM | RELOAD | SELFTEST, AS_IS, 0, NO_WORDS },
};
/* clang-format on */
const size_t n_event_fields = ARRAY_SIZE(event_fields);

void event_init(struct event *e, enum event_type type)
{
	*e = (struct event){ .type = type };
	for (size_t i = 0; i < n_event_fields; i++) {
		const struct event_field *f = &event_fields[i];

		if (f->kind == FIELD_RATE)
			memcpy((char *)e + f->offset, &(double){ NAN }, sizeof(double));
		else if (f->kind == FIELD_TIME)
			memcpy((char *)e + f->offset, &f->none, sizeof(f->none));
	}
}
