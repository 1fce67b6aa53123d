/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/status.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/names.h"

static const char *const visibilities[] = {
	[VISIBILITY_PLAINTEXT] = "plaintext",
	[VISIBILITY_TLS_UPROBE] = "tls_uprobe",
	[VISIBILITY_METADATA] = "metadata",
	[VISIBILITY_NONE] = "none",
};
NAME_FUNCTIONS(visibility, enum visibility, visibilities, VISIBILITY_COUNT)

static const char *const verdicts[] = {
	[VERDICT_ALLOW] = "allow",
	[VERDICT_REFUSE] = "refuse",
	[VERDICT_REDIRECT] = "redirect",
	[VERDICT_STAND_IN] = "stand_in",
};
NAME_FUNCTIONS(status_verdict, enum status_verdict, verdicts, VERDICT_COUNT)

static const char *const redirects[] = {
	[SG_REDIRECT_NONE] = "refuse",
	[SG_REDIRECT_DIRECT] = "direct",
	[SG_REDIRECT_FORWARD] = "forward",
	[SG_REDIRECT_STAND_IN] = "stand_in",
};
NAME_FUNCTIONS(redirect, enum sg_redirect_kind, redirects, SG_REDIRECT_COUNT)

void status_unrecorded(char *out, size_t size, const char *server, uint64_t n)
{
	snprintf(out, size,
		 "%" PRIu64 " connect%s to \"%s\" could not be recorded (their sockets' option "
		 "memory or the table of flows was full): judged at connect, not measured; found "
		 "again by address when it opens or is quarantined",
		 n, n == 1 ? "" : "s", server);
}

const char *status_survivors(char *out, size_t size, uint32_t survivors, const char *why)
{
	if (survivors == STATUS_UNKNOWN)
		snprintf(out, size, "survivors unknown%s%s", *why ? ": " : "", why);
	else
		snprintf(out, size, "%" PRIu32 " survivor%s", survivors, survivors == 1 ? "" : "s");
	return out;
}

void status_server_init(struct status_server *s)
{
	*s = (struct status_server){ .visibility = VISIBILITY_METADATA };
	s->breaker.failure_rate = NAN;
	s->breaker.slow_rate = NAN;
	s->latency = (struct status_latency){ NAN, NAN, NAN };
	s->handshake = s->latency;
	s->quarantine.until_wall_ns = STATUS_NEVER;
	s->order.until_wall_ns = STATUS_NEVER;
}

void status_server_done(struct status_server *s)
{
	free(s->url);
	free(s->command);
	free(s->group);
	free(s->endpoints);
	free(s->causes);
	free(s->proxied);
	free(s->changed);
	free(s->candidates);
	status_server_init(s);
}

void status_done(struct status *s)
{
	for (size_t i = 0; i < s->n_servers; i++)
		status_server_done(&s->servers[i]);
	for (size_t i = 0; i < s->n_degraded; i++)
		free(s->degraded[i]);
	free(s->servers);
	free(s->degraded);
	free(s->xdp);
	*s = (struct status){ 0 };
}
