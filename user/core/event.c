/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/event.h"

#include <math.h>

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
	[EVENT_ONE_CLIENT] = "one_client",
	[EVENT_RESET] = "reset",
	[EVENT_HOST_OFFLINE] = "host_offline",
	[EVENT_DENIAL] = "denial",
	[EVENT_FINDING] = "finding",
	[EVENT_TOOLS] = "tools",
	[EVENT_BYPASS] = "bypass",
	[EVENT_ISOLATION] = "isolation",
	[EVENT_CAPTURE] = "capture",
	[EVENT_FALLBACK] = "fallback",
};
NAME_FUNCTIONS(event_type, unsigned int, event_types, EVENT_TYPE_COUNT)

void event_init(struct event *e, enum event_type type)
{
	*e = (struct event){
		.type = type,
		.failure_rate = NAN,
		.slow_rate = NAN,
		.until_wall_ns = STATUS_NEVER,
	};
}
