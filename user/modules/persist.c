/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The durable copy of what the kernel holds, for when its maps are gone. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "daemon/settings.h"
#include "io/store.h"
#include "modules/modules.h"

#define SUB "state"
#define STATE_FILE "state.json"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

struct persist {
	struct part part;
	struct store *store;
	char error[256]; /* "" while it can be written */
	char boot_id[STATE_BOOT_ID_LEN];
};

static int boot_id_read(struct persist *p)
{
	CLEANUP(freep) char *text = NULL;
	size_t len;
	int r = file_read(BOOT_ID, 256, &text, &len);

	if (r)
		return log_failure(r, SUB, "cannot read the boot id");
	snprintf(p->boot_id, sizeof(p->boot_id), "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

static int persist_start(void *m)
{
	struct persist *p = m;
	int r = boot_id_read(p);

	return r ? r : store_open(p->part.d->settings->state_dir, 0, &p->store);
}

static void persist_load(void *m, struct state *ret, struct state_clock *now)
{
	struct persist *p = m;
	CLEANUP(freep) char *text = NULL;
	struct buf messages = BUF(8192);
	size_t len;
	int r;

	memset(ret, 0, sizeof(*ret));
	memcpy(now->boot_id, p->boot_id, sizeof(now->boot_id));
	r = store_read(p->store, STATE_FILE, STATE_SIZE_MAX, &text, &len);
	if (r)
		return; /* none yet, or said already */
	r = state_decode(text, len, ret, &messages);
	if (messages.len)
		log_warning(SUB, STATE_FILE ": %s; nothing of it is used, move it away to keep it",
			    buf_str(&messages));
	buf_done(&messages);
	if (r)
		memset(ret, 0, sizeof(*ret));
}

static int state_fill(struct persist *p, struct state *state)
{
	struct servers *all = p->part.d->servers;
	struct modules *ms = bus_modules(p->part.d->bus);
	uint64_t now = clock_boot_ns();

	state->servers =
		calloc(servers_n(all) + servers_kept(all, NULL, now) + 1, sizeof(*state->servers));
	if (!state->servers)
		return -ENOMEM;
	state->saved.boot_ns = now;
	state->saved.wall_ns = clock_wall_ns();
	memcpy(state->saved.boot_id, p->boot_id, sizeof(state->saved.boot_id));
	for (struct server *s = servers_first(all); s; s = s->next) {
		struct state_server *to = &state->servers[state->n_servers];
		struct server *from;

		from = s->covered_by ? s->covered_by : s;
		if (!from->id || (s->covered_by && !server_quarantined(from)))
			continue;
		state_server_take(to, s->config->name, &from->breaker, now);
		to->covered = s->covered_by;
		config_origin(s->config, to->origin, sizeof(to->origin));
		(void)!config_entry_write(s->config, to->entry, sizeof(to->entry));
		MODULES_EACH(ms, save, from, to, now);
		state->n_servers++;
	}
	state->n_servers += servers_kept(all, &state->servers[state->n_servers], now);
	return 0;
}

static int persist_commit(void *m)
{
	struct persist *p = m;
	struct state state = { 0 };
	struct buf out = BUF(STATE_SIZE_MAX);
	int r = state_fill(p, &state);

	if (!r)
		r = state_encode(&state, &out);
	if (!r)
		r = store_write(p->store, STATE_FILE, out.data, out.len);
	buf_done(&out);
	state_done(&state);
	p->error[0] = '\0';
	if (r)
		snprintf(p->error, sizeof(p->error),
			 "the state cannot be written to %s (%s): it would not survive a reboot",
			 p->part.d->settings->state_dir, strerror(-r));
	return r;
}

static int persist_degraded(void *m, struct status *to)
{
	const struct persist *p = m;

	return p->error[0] ? status_degrade(to, p->error) : 0;
}

/* At the end once more, since what only time changes is not committed at each pass. */
static void persist_stop(void *m)
{
	struct persist *p = m;

	if (p->store && servers_n(p->part.d->servers) && !dataplane_detached(p->part.d->dp))
		(void)!persist_commit(p);
	store_close(p->store);
}

const struct module persist_module = {
	.name = "persist",
	.size = sizeof(struct persist),
	.start = persist_start,
	.stop = persist_stop,
	.load = persist_load,
	.commit = persist_commit,
	.degraded = persist_degraded,
};
