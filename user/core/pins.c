/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

static bool listed(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* "swept" is of earlier versions. */
bool pins_map(const char *name)
{
	static const char *const maps[] = {
		"cfg",           "ep2srv",    "net2srv",    "unix2srv",    "local_addrs",
		"listed",        "srv_state", "groups",     "srv_name",    "stats",
		"hist",          "sk_ctx",    "flows",      "own",         "ev",
		"quarantine",    "cutoff",    "pulse",      "http_dfa",    "job",
		"watch",         "routes",    "proxies",    "proxy_names", "denied_at",
		"swept",         "captures",  "capture_at", "isolations",  "isolate_here",
		"isolate_allow", "redirects", "origins",    "host_names",  NULL,
	};

	return listed(maps, name);
}

bool pins_link(const char *name)
{
	static const char *const links[] = {
		"sg_connect4", "sg_connect6",     "sg_sendmsg4", "sg_sendmsg6",   "sg_release",
		"sg_egress",   "sg_ingress",      "sg_sockops",  "sg_retransmit", "sg_state",
		"sg_brought",  "sg_connect_unix", "sg_peer4",    "sg_peer6",      NULL,
	};

	return listed(links, name) || !strncmp(name, PINS_ISOLATE, strlen(PINS_ISOLATE));
}

int detach_result_keep(struct detach_result *d, const char *name)
{
	char *copy = strdup(name);
	int r = copy ? list_grow(&d->kept, d->n_kept, sizeof(copy)) : -ENOMEM;

	if (r)
		free(copy);
	else
		d->kept[d->n_kept++] = copy;
	return r;
}

void detach_result_done(struct detach_result *d)
{
	for (size_t i = 0; i < d->n_kept; i++)
		free(d->kept[i]);
	free(d->kept);
	d->kept = NULL;
	d->n_kept = 0;
}
