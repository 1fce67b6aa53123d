/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bypass: in an emergency nothing is refused for a while. The kernel's map has when that ends
 * and compares the time itself, so that it ends without a daemon, too (A1); who turned it on, and
 * why, is known to the daemon that did, and to the events. While it is on it is said loudly.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "modules/modules.h"

#define SUB "bypass"
#define REMIND_NS (60 * NS_PER_SEC)
#define ITSELF "switchgear" /* who ends what has a time */

struct bypass {
	struct part part;
	uint64_t until_ns; /* as it was seen last; 0: off */
	uint64_t since_wall_ns;
	uint64_t remind_ns;
	char reason[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];
};

static void tell(struct bypass *b, const char *by, const char *reason)
{
	struct event e;

	bus_event(&e, EVENT_BYPASS, "");
	e.ok = b->until_ns != 0;
	e.until_wall_ns = b->until_ns ? clock_boot_to_wall_ns(b->until_ns) : STATUS_NEVER;
	snprintf(e.by, sizeof(e.by), "%s", by);
	snprintf(e.text, sizeof(e.text), "%s", reason);
	bus_report(b->part.d->bus, &e);
}

static void begin(struct bypass *b, uint64_t until, const char *by, const char *reason)
{
	if (!b->until_ns)
		b->since_wall_ns = clock_wall_ns();
	b->until_ns = until;
	b->remind_ns = clock_boot_ns() + REMIND_NS;
	snprintf(b->by, sizeof(b->by), "%s", by);
	snprintf(b->reason, sizeof(b->reason), "%s", reason);
	tell(b, by, reason);
}

static void end(struct bypass *b, const char *by, const char *reason)
{
	b->until_ns = 0;
	tell(b, by, reason);
}

static void remind(struct bypass *b, uint64_t now)
{
	char left[64];

	b->remind_ns = now + REMIND_NS;
	log_warning(SUB,
		    "NOTHING IS REFUSED for another %s, by %s%s%s: `switchgear bypass off` ends it",
		    format_duration(left, sizeof(left), b->until_ns - now), b->by,
		    *b->reason ? ": " : "", b->reason);
}

/* Its time may be over, and others may write the map. */
static void bypass_signal(void *m, UNUSED const struct signal *signal)
{
	struct bypass *b = m;
	uint64_t until = dataplane_bypass_until(b->part.d->dp);
	uint64_t now = clock_boot_ns();

	if (until && until != b->until_ns)
		begin(b, until, "another program", "set in the kernel's map");
	else if (!until && b->until_ns)
		end(b, b->until_ns <= now ? ITSELF : "another program",
		    b->until_ns <= now ? "its time is over" : "taken out of the kernel's map");
	else if (until && now >= b->remind_ns)
		remind(b, now);
}

static void on_bypass(void *m, struct http_request *q, UNUSED struct server *s)
{
	struct bypass *b = m;
	struct reply_bypass reply = { .until_wall_ns = STATUS_NEVER };
	struct buf out = BUF(1024);
	struct request request;
	char by[STATUS_BY_LEN];
	int r;

	if (!reply_decode(q, REQUEST_BYPASS, &request))
		return;
	reply_who(q, by, sizeof(by));
	reply.on = request.on;
	reply.unchanged = !request.on && !b->until_ns;
	dataplane_bypass(b->part.d->dp, request.on ? clock_boot_ns() + request.for_ns : 0);
	if (request.on)
		begin(b, dataplane_bypass_until(b->part.d->dp), by, request.reason);
	else if (b->until_ns)
		end(b, by, request.reason);
	if (b->until_ns)
		reply.until_wall_ns = clock_boot_to_wall_ns(b->until_ns);
	bus_pass(b->part.d->bus);
	r = reply_bypass_encode(&reply, &out);
	reply_document(q, REPLY_JSON, &out, r);
}

/* One that a daemon before began. */
static int bypass_start(void *m)
{
	struct bypass *b = m;
	uint64_t until = dataplane_bypass_until(b->part.d->dp);

	if (until)
		begin(b, until, "unknown", "on since before this daemon began");
	return 0;
}

static int bypass_fill(void *m, struct status *to)
{
	const struct bypass *b = m;

	if (!b->until_ns)
		return 0;
	to->bypassed = true;
	to->bypass.since_wall_ns = b->since_wall_ns;
	to->bypass.until_wall_ns = clock_boot_to_wall_ns(b->until_ns);
	memcpy(to->bypass.reason, b->reason, sizeof(b->reason));
	memcpy(to->bypass.by, b->by, sizeof(b->by));
	return 0;
}

static int bypass_degraded(void *m, struct status *to)
{
	const struct bypass *b = m;
	char when[32];
	char text[256];

	if (!b->until_ns)
		return 0;
	snprintf(text, sizeof(text),
		 "bypass: NOTHING IS REFUSED until %s, servers in quarantine included, by %.100s; "
		 "`switchgear bypass off` ends it",
		 clock_format(when, sizeof(when), clock_boot_to_wall_ns(b->until_ns)), b->by);
	return status_degrade(to, text);
}

static void bypass_metrics(void *m, struct metrics *to)
{
	const struct bypass *b = m;

	metrics_family(to, "switchgear_bypass", METRICS_GAUGE,
		       "1: nothing is refused, by an order for an emergency.");
	metrics_u64(to, NULL, 0, b->until_ns != 0);
}

static const struct api_route routes[] = {
	{ "POST", "v1/bypass", API_CHANGE, on_bypass },
	{ 0 },
};

const struct module bypass_module = {
	.name = SUB,
	.size = sizeof(struct bypass),
	.start = bypass_start,
	.on_signal = bypass_signal,
	.fill_status = bypass_fill,
	.degraded = bypass_degraded,
	.write_metrics = bypass_metrics,
	.routes = routes,
};
