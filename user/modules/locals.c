/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* This host's own addresses: endpoints at one of them are local ones. */
#include "dataplane/locals.h"

#include "base/log.h"
#include "daemon/servers.h"
#include "modules/modules.h"

#define SUB "locals"

struct own {
	struct part part;
	int watch;
};

static int own_write(struct own *own)
{
	struct locals_list list;
	int r = locals_read(&list);

	if (r)
		return log_failure(r, SUB, "cannot read this host's addresses");
	r = dataplane_locals_set(own->part.d->dp, list.addrs, list.n);
	locals_list_done(&list);
	return r;
}

static void on_change(void *data)
{
	struct own *own = data;

	if (locals_changed(own->watch) != 1 || own_write(own))
		return;
	for (struct server *s = servers_first(own->part.d->servers); s; s = s->next)
		if (s->id)
			(void)!server_endpoints(s); /* tells servers_error() */
}

static int own_start(void *m)
{
	struct own *own = m;
	int r;

	own->watch = -1;
	r = locals_watch(&own->watch);
	if (!r)
		r = own_write(own);
	if (!r)
		r = loop_add_fd(own->part.d->loop, own->watch, on_change, own, NULL);
	return r;
}

static void own_stop(void *m)
{
	struct own *own = m;

	closep(&own->watch);
}

static int own_degraded(void *m, struct status *to)
{
	const struct own *own = m;
	const char *text = servers_error(own->part.d->servers);

	return text[0] ? status_degrade(to, text) : 0;
}

const struct module locals_module = {
	.name = "locals",
	.size = sizeof(struct own),
	.start = own_start,
	.stop = own_stop,
	.degraded = own_degraded,
};
