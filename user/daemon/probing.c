/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/probing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int probing_fill(const struct server *s, struct probe_job *job)
{
	const struct config_server *c = s->config;

	job->port = c->port;
	job->tls = c->scheme == URL_HTTPS;
	job->connect_ns = policy_ns(c->policy.connect_seconds);
	job->n_addrs = s->n_addrs < PROBE_ADDRS_MAX ? (uint32_t)s->n_addrs : PROBE_ADDRS_MAX;
	memcpy(job->addrs, s->addrs, job->n_addrs * sizeof(*job->addrs));
	snprintf(job->host, sizeof(job->host), "%s", c->host);
	if ((size_t)snprintf(job->path, sizeof(job->path), "%s", probe_path(c->url_shown)) >=
	    sizeof(job->path))
		return -ENAMETOOLONG;
	return 0;
}

int probing_own(const struct server *s, int fd, uint64_t *own)
{
	probing_disown(s, own);
	return dataplane_own_add(s->d->dp, fd, own);
}

void probing_disown(const struct server *s, uint64_t *own)
{
	if (*own)
		dataplane_own_remove(s->d->dp, *own);
	*own = 0;
}
