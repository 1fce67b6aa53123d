/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's own probe: the first one of a server that has become half-open,
 * if it can be asked over plaintext HTTP (codec/probe.h); agents' calls are the
 * others, and all of them where there is no own one. A probe that finds no place
 * waits until the kernel stops reserving the token for us (SG_OWN_PROBE_NS).
 *
 * Invariants:
 *  D1  A token that was taken goes back exactly once: with an outcome, or
 *      undecided when the probe is given up.
 *  D2  Fail-open: without a probe of ours the server is probed by agents.
 */
#include <errno.h>
#include <string.h>

#include "daemon/app.h"
#include "io/probe.h"

#define SUB "probe"
#define AT_ONCE_MAX 32
#define AGAIN_NS (50 * NS_PER_MS)

struct app_probe {
	struct app_server *server;
	struct loop_timer *timer;
	struct probe *io;           /* NULL: none is running */
	struct loop_source *source; /* of io */
	enum probe_era era;         /* as the last one found it */
	uint64_t wait_until_ns;     /* for a place; 0: does not wait */
	uint32_t generation;        /* of the token */
	bool token;                 /* the verdict is outstanding */
	bool leased;                /* its lease is shorter than the patience with answers */
};

bool app_probe_possible(const struct app_server *s)
{
	const struct config_server *c = s->config;

	return s->id != SG_CANARY && c->has_url && c->scheme == URL_HTTP &&
	       probe_path(c->url_shown);
}

/* --- reports --------------------------------------------------------------------------------- */

/* D1; class SG_CLASS_COUNT: undecided. */
static void give_back(struct app_probe *p, const struct sg_ended *ended)
{
	struct app_server *s = p->server;
	struct sg_command cmd = { .op = SG_CMD_OUTCOME, .server = s->id, .ended = *ended };

	cmd.ended.server = s->id;
	cmd.ended.generation = p->generation;
	cmd.ended.flags |= SG_OUT_PROBE;
	cmd.ended.method = SG_METHOD_POST;
	p->token = false;
	(void)!dataplane_command(s->app->dp, &cmd); /* the server may be gone meanwhile */
}

static void report(struct app_probe *p, const struct probe_result *r)
{
	struct sg_ended ended = { .latency_ns = r->latency_ns,
				  .first_ns = r->first_ns,
				  .retry_after_ns = r->retry_after_ns,
				  .status = r->status,
				  .outcome = (__u8)r->class,
				  .cause = (__u8)r->cause,
				  .flags = r->complete ? SG_OUT_COMPLETE : 0 };

	if (r->cause == SG_CAUSE_NO_ANSWER && p->leased)
		ended.cause = SG_CAUSE_LEASE;
	if (p->server->quarantine.active)
		ended.outcome = SG_CLASS_COUNT; /* our own denial */
	give_back(p, &ended);
	log_debug(SUB, "%s: own probe: %s (%s), HTTP status %u, %.1f ms", p->server->config->name,
		  class_name(r->class), cause_name((enum sg_cause)ended.cause), r->status,
		  (double)r->latency_ns / 1e6);
}

/* --- one probe --------------------------------------------------------------------------------- */

static void end(struct app_probe *p)
{
	static const struct sg_ended undecided = { .outcome = SG_CLASS_COUNT };

	if (p->token)
		give_back(p, &undecided);
	loop_timer_off(p->timer);
	loop_del(TAKE_PTR(p->source));
	probe_free(TAKE_PTR(p->io));
	p->wait_until_ns = 0;
}

static void run(struct app_probe *p)
{
	const struct probe_result *result;

	probe_run(p->io);
	result = probe_result(p->io);
	if (result && p->token) {
		p->era = probe_era(p->io);
		report(p, result);
	}
	if (probe_over(p->io))
		end(p);
	else
		loop_timer_set(p->timer, probe_due_ns(p->io));
}

static void on_fd(void *data, uint32_t ready)
{
	(void)ready;
	run(data);
}

static int own_add(void *dp, int socket)
{
	return dataplane_own_add(dp, socket);
}

static void own_remove(void *dp, int socket)
{
	dataplane_own_remove(dp, socket);
}

/* Connects nothing yet: that is for its first run, once there is a token. */
static int prepare(struct app_probe *p)
{
	const struct app_server *s = p->server;
	const struct breaker_policy *policy = &s->config->policy;
	uint64_t lease_ns = policy_ns(policy->probe_lease_seconds);
	uint64_t timeout_ns = policy_ns(policy->timeout_seconds);
	const struct probe_spec spec = { .addrs = s->addrs,
					 .addrs_n = s->addrs_n,
					 .port = s->config->port,
					 .host = s->config->host,
					 .path = probe_path(s->config->url_shown),
					 .version = SWITCHGEAR_VERSION,
					 .era = p->era,
					 .own = { own_add, own_remove, s->app->dp },
					 .connect_ns = policy_ns(policy->connect_seconds),
					 .limit_ns = lease_ns < timeout_ns ? lease_ns
									   : timeout_ns };
	int r = probe_new(&spec, &p->io);

	p->leased = lease_ns < timeout_ns;
	if (!r)
		r = loop_add_fd(s->app->loop, probe_fd(p->io), EPOLLIN, on_fd, p, &p->source);
	return r;
}

static int take_token(struct app_probe *p)
{
	struct sg_command cmd = { .op = SG_CMD_PROBE, .server = p->server->id };
	int r = dataplane_command(p->server->app->dp, &cmd);

	if (r)
		return r;
	if (cmd.state != SG_ALLOW_PROBE)
		return -EAGAIN; /* not half-open any more, or agents were quicker */
	p->token = true;
	p->generation = cmd.breaker.generation;
	return 0;
}

static bool place_free(const struct app *app)
{
	size_t n = 0;

	for (size_t i = 0; i < app->servers_n; i++)
		n += app->servers[i]->probe && app->servers[i]->probe->io;
	return n < AT_ONCE_MAX;
}

/* Takes a place, or waits for one. */
static int begin(struct app_probe *p)
{
	uint64_t now = clock_boot_ns();
	int r;

	if (now < p->wait_until_ns && !place_free(p->server->app)) {
		loop_timer_set(p->timer, now + AGAIN_NS);
		return 0;
	}
	r = now < p->wait_until_ns ? prepare(p) : -ETIME;
	if (!r)
		r = take_token(p);
	if (r) {
		end(p);
		return r;
	}
	p->wait_until_ns = 0;
	loop_timer_set(p->timer, now);
	return 0;
}

static void on_timer(void *data)
{
	struct app_probe *p = data;
	int r;

	if (p->io) {
		run(p);
		return;
	}
	r = begin(p);
	if (r)
		log_debug(SUB, "%s: no own probe: %s; agents' calls are the probes",
			  p->server->config->name, strerror(-r));
}

/* --- interface --------------------------------------------------------------------------------- */

int app_probe_start(struct app_server *s)
{
	struct app_probe *p = s->probe;
	int r;

	if (!app_probe_possible(s) || !s->addrs_n || s->quarantine.active)
		return -ENOTSUP;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->server = s;
		r = loop_timer_new(s->app->loop, on_timer, p, &p->timer);
		if (r) {
			free(p);
			return r;
		}
		s->probe = p;
	}
	if (p->token)
		return -EALREADY;
	end(p); /* of the one before only the farewell can be left */
	p->wait_until_ns = clock_boot_ns() + SG_OWN_PROBE_NS;
	return begin(p);
}

void app_probe_moved(struct app_server *s, enum sg_state to)
{
	struct app_probe *p = s->probe;

	if (p && (p->token || p->wait_until_ns))
		end(p);
	if (to == SG_HALF_OPEN)
		(void)!app_probe_start(s); /* D2 */
}

void app_probe_free(struct app_server *s)
{
	struct app_probe *p = TAKE_PTR(s->probe);

	if (!p)
		return;
	end(p);
	loop_timer_free(p->timer);
	free(p);
}
