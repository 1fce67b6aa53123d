/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The durable copy of what the kernel holds, for when its maps are gone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/app.h"

#define SUB "state"
#define STATE_FILE "state.json"

void app_state_load(struct app *app, struct state *ret)
{
	CLEANUP(freep) char *text = NULL;
	struct buf messages;
	size_t len;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = store_read(app->store, STATE_FILE, STATE_SIZE_MAX, &text, &len);
	if (r)
		return; /* none yet, or said already */
	buf_init(&messages, 8192);
	r = state_decode(text, len, STATE_FILE, ret, &messages);
	if (messages.len)
		log_warning(SUB, "%s", buf_str(&messages));
	buf_done(&messages);
	if (r)
		memset(ret, 0, sizeof(*ret));
}

static void take_quarantine(struct state_server *to, const struct app_quarantine *q, uint64_t now)
{
	if (!q->active)
		return;
	to->quarantined = true;
	to->quarantine_ns = q->until_ns == SG_FOREVER ? SG_FOREVER
			    : q->until_ns > now       ? q->until_ns - now
						      : 0;
	to->since_wall_ns = q->since_wall_ns;
	memcpy(to->reason, q->reason, sizeof(to->reason));
	memcpy(to->by, q->by, sizeof(to->by));
}

int app_state_save(struct app *app)
{
	struct state state = { 0 };
	struct buf out;
	uint64_t now = clock_boot_ns();
	int r;

	state.servers = calloc(app->servers_n + 1, sizeof(*state.servers));
	if (!state.servers)
		return -ENOMEM;
	state.saved.boot_ns = now;
	state.saved.wall_ns = clock_wall_ns();
	memcpy(state.saved.boot_id, app->boot_id, sizeof(state.saved.boot_id));
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];
		struct state_server *to = &state.servers[state.n_servers];

		if (!s->id)
			continue;
		state_server_take(to, s->config->name, &s->breaker, now);
		to->trips = s->engine.trips;
		to->good_ns = engine_good_ns(&s->engine, now);
		take_quarantine(to, &s->quarantine, now);
		state.n_servers++;
	}
	buf_init(&out, STATE_SIZE_MAX);
	r = state_encode(&state, &out);
	if (!r)
		r = store_write(app->store, STATE_FILE, out.data, out.len);
	buf_done(&out);
	state_done(&state);
	if (r)
		snprintf(app->store_error, sizeof(app->store_error),
			 "the state cannot be written to %s (%s): it would not survive a reboot",
			 app->state_dir, strerror(-r));
	else
		app->store_error[0] = '\0';
	return r;
}
