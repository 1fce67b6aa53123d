/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the configuration itself tells of a server's safety: that its clients reach it by a bridge
 * of a version that is known to be vulnerable (codec/bridges.h). After each reading of the
 * configuration all of it is told as findings, so that what was mended is gone.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "codec/bridges.h"
#include "codec/messages_trust.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "modules/modules.h"

#define SUB "bridges"

struct bridges {
	struct part part;
	bool sent; /* the signal was, and is not over while its `r` is -ENOENT */
	struct findings all;
	struct reply_report reply;
	struct findings_signal signal;
};

static int add(struct bridges *m, const struct config_server *c)
{
	const struct bridge_flaw *flaw = NULL;
	struct bridge b;
	int r = 0;

	if (!c->bridge || !bridge_parse(c->bridge, &b))
		return 0;
	while (!r && (flaw = bridge_flaw_next(&b, flaw))) {
		r = list_grow(&m->all.v, m->all.n, sizeof(*m->all.v));
		if (!r)
			r = bridge_finding(&b, flaw, c->name, &m->all.v[m->all.n]);
		m->all.n += !r;
	}
	return r;
}

static void clear(struct bridges *m)
{
	findings_done(&m->all);
	reply_report_done(&m->reply);
	m->all = (struct findings){ .format = FINDINGS_NATIVE };
	m->reply = (struct reply_report){ 0 };
}

/* Without memory nothing is told, rather than a part that looks like all. */
static void bridges_signal(void *data, UNUSED const struct signal *signal)
{
	struct bridges *m = data;
	bool waiting = m->sent && m->signal.r == -ENOENT;
	int r = 0;

	clear(m);
	for (struct server *s = servers_first(m->part.d->servers); s && !r; s = s->next)
		r = add(m, s->config);
	m->signal = (struct findings_signal){
		.all = &m->all, .reply = &m->reply, .whole = r ? NULL : BRIDGE_SOURCE, .r = -ENOENT
	};
	if (r) {
		clear(m);
		log_failure(r, SUB, "cannot tell which bridges are vulnerable; reload again");
	}
	if (!waiting)
		bus_emit(m->part.d->bus,
			 &(struct signal){ .type = SIGNAL_FINDINGS, .findings = &m->signal });
	m->sent = true;
}

static void bridges_stop(void *data)
{
	clear(data);
}

const struct module bridges_module = {
	.name = SUB,
	.size = sizeof(struct bridges),
	.stop = bridges_stop,
	.on_signal = bridges_signal,
};
