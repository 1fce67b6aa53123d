/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Active health checks: the first probe of a server that has become half-open is the
 * daemon's own, if it can be asked (codec/probe.h); agents' calls are the others, and all of
 * them where there is no own one. A worker asks (io/worker.h). A probe that finds no place
 * waits until the kernel stops reserving the token for us (SG_OWN_PROBE_NS).
 *
 * An opening that rests on one caller's word (headers/witness.h) is checked at once: if the
 * server answers, it is taken back. So is what would have opened, had there not been a witness:
 * a failure of that counts as anybody's, and if the daemon was the witness it is none any more.
 *
 * Invariants:
 *  D1  A token that was taken goes back exactly once: with an outcome, or
 *      undecided when the probe is given up.
 *  D2  Fail-open: without a probe of ours the server is probed by agents.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "core/policy.h"
#include "daemon/bus.h"
#include "daemon/probing.h"
#include "daemon/work.h"
#include "modules/modules.h"

#define SUB "probe"
#define AT_ONCE_MAX 32
#define AGAIN_NS (50 * NS_PER_MS)
#define HELD_AGAIN_NS NS_PER_SEC
#define HTTP_UNAUTHORIZED 401
#define HTTP_FORBIDDEN 403
#define HTTP_TOO_MANY 429

enum purpose {
	FOR_PROBE,   /* it has, or takes, a token */
	FOR_OPENING, /* to check one by one caller's word */
	FOR_HELD,    /* to check failures that opened nothing */
};

struct check {
	const struct part *m;
	struct server *server;
	struct loop_timer *timer;
	struct work *work;
	struct work_job *job;   /* NULL: none is running */
	uint64_t own;           /* cookie of its socket; 0: none */
	uint32_t era;           /* as the last one found it */
	char error[192];        /* why the server could not be asked; "": it could */
	uint64_t wait_until_ns; /* for a place; 0: does not wait */
	bool open;              /* its verdict is outstanding */
	uint32_t generation;    /* of the token, or of the opening that is checked */
	enum purpose purpose;   /* only FOR_PROBE needs the token */
	uint64_t held_ns;       /* the latest FOR_HELD */
	bool leased;            /* its lease is shorter than the patience with answers */
	bool proxied;           /* the latest call that told of it went through a proxy */
};

static bool holds_token(const struct check *p)
{
	return p->open && p->purpose == FOR_PROBE;
}

static bool check_possible(const struct server *s)
{
	const struct config_server *c = s->config;

	return c->has_url && probe_path(c->url_shown);
}

/* --- reports --------------------------------------------------------------------------------- */

/* D1; class SG_CLASS_COUNT: undecided. */
static void give_back(struct check *p, const struct sg_ended *ended)
{
	struct server *s = p->server;
	struct sg_command cmd = { .op = SG_CMD_OUTCOME, .server = s->id, .ended = *ended };

	cmd.ended.server = s->id;
	cmd.ended.generation = p->generation;
	cmd.ended.method = SG_METHOD_POST;
	if (p->purpose == FOR_PROBE)
		cmd.ended.flags |= SG_OUT_PROBE;
	else if (ended->outcome != SG_HARD)
		return; /* no token was taken, and a witness there is already */
	(void)!dataplane_command(s->d->dp, &cmd); /* the server may be gone meanwhile */
}

static void report(struct check *p, const struct probe_result *r)
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
	if (r->status == HTTP_UNAUTHORIZED || r->status == HTTP_FORBIDDEN)
		ended.outcome = SG_SUCCESS; /* it has no credentials; who says so is alive */
	if (r->class == SG_CALLER && r->cause == SG_CAUSE_TLS)
		ended.outcome = SG_CLASS_COUNT; /* whom it trusts, and who trusts it, is no fault */
	if (r->status == HTTP_TOO_MANY)         /* it asks too often: that tells nothing */
		ended.outcome = SG_CLASS_COUNT;
	if (server_quarantined(p->server))
		ended.outcome = SG_CLASS_COUNT; /* our own denial */
	give_back(p, &ended);
	log_debug(SUB, "%s: own probe: %s (%s), HTTP status %u, %.1f ms", p->server->config->name,
		  class_name(r->class), cause_name((enum sg_cause)ended.cause), r->status,
		  (double)r->latency_ns / 1e6);
}

/* An answer is one, whatever it says of the request, unless the server calls itself unable. */
static void judge_opening(struct check *p, const struct probe_result *r)
{
	struct server *s = p->server;
	struct sg_command cmd = { .op = SG_CMD_REACHED,
				  .server = s->id,
				  .generation = p->generation };
	bool reached = r->status && r->class != SG_HARD;

	log_debug(SUB, "%s: opened by one caller's word; own probe: %s, HTTP status %u",
		  s->config->name, cause_name((enum sg_cause)r->cause), r->status);
	if (reached && !dataplane_command(s->d->dp, &cmd) && cmd.moved)
		bus_alarm(
			s->d->bus, s->config->name,
			"opened by what one caller alone saw; it answered the daemon after %.0f ms, so "
			"it is closed again; \"switchgear events --calls\" tells who that caller was",
			(double)r->latency_ns / 1e6);
}

/* --- one probe --------------------------------------------------------------------------------- */

static void end(struct check *p)
{
	static const struct sg_ended undecided = { .outcome = SG_CLASS_COUNT };

	if (holds_token(p))
		give_back(p, &undecided);
	p->open = false;
	loop_timer_off(p->timer);
	work_cancel(TAKE_PTR(p->job));
	probing_disown(p->server, &p->own);
	p->wait_until_ns = 0;
	p->purpose = FOR_PROBE;
}

/* Says once why the server cannot be asked; text "": it was. */
static void objected(struct check *p, const char *text)
{
	if (text[0] && strcmp(text, p->error) != 0)
		log_warning(SUB, "%s: it cannot be asked: %s; agents' calls are its probes",
			    p->server->config->name, text);
	snprintf(p->error, sizeof(p->error), "%s", text);
}

static const char *objection(const struct probe_verdict *v)
{
	if (v->result.status == HTTP_TOO_MANY)
		return "rate limited (HTTP status 429)";
	return v->result.class == SG_CALLER || v->result.class == SG_LOCAL ? v->why : "";
}

static int told(struct check *p, const struct probe_verdict *v, size_t len)
{
	if (!probe_verdict_valid(v, len))
		return -EBADMSG;
	if (!p->open)
		return 0;
	p->era = v->era;
	p->open = false;
	objected(p, objection(v));
	if (p->purpose == FOR_OPENING)
		judge_opening(p, &v->result);
	else
		report(p, &v->result);
	return 0;
}

static int asked(void *owner, uint32_t what, const void *data, size_t len, int fd)
{
	struct check *p = owner;

	if (what == PROBE_ASK_VERDICT)
		return told(p, data, len);
	if (what != PROBE_ASK_OWN || fd < 0)
		return -EINVAL;
	return probing_own(p->server, fd, &p->own);
}

static void done(void *owner, int r, UNUSED const void *result)
{
	struct check *p = owner;

	p->job = NULL;
	if (r && r != -ETIMEDOUT)
		objected(p, work_explain(p->work, r));
	end(p);
}

/* Nothing is connected before the loop goes on, when there is a token. */
static int prepare(struct check *p)
{
	const struct config_server *c = p->server->config;
	uint64_t lease_ns = policy_ns(c->policy.probe_lease_seconds);
	uint64_t timeout_ns = policy_ns(c->policy.timeout_seconds);
	struct probe_job job = { .era = p->era,
				 .limit_ns = lease_ns < timeout_ns ? lease_ns : timeout_ns };
	const struct work_order order = { .op = WORKER_PROBE,
					  .data = &job,
					  .data_len = sizeof(job),
					  .ask = asked,
					  .run_ns = job.limit_ns + PROBING_REST_NS,
					  .by_ns = SG_FOREVER,
					  .done = done,
					  .owner = p };
	int r = probing_fill(p->server, &job);

	p->leased = lease_ns < timeout_ns;
	return r ? r : work_add(p->work, &order, &p->job);
}

static int take_token(struct check *p)
{
	struct sg_command cmd = { .op = SG_CMD_PROBE, .server = p->server->id };
	int r = dataplane_command(p->server->d->dp, &cmd);

	if (r)
		return r;
	if (cmd.state != SG_ALLOW_PROBE)
		return -EAGAIN; /* not half-open any more, or agents were quicker */
	p->generation = cmd.breaker.generation;
	return 0;
}

static struct check *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static bool place_free(const struct part *m)
{
	size_t n = 0;

	for (const struct server *s = servers_first(m->d->servers); s; s = s->next)
		n += of(m, s)->job != NULL;
	return n < AT_ONCE_MAX;
}

/* Takes a place, or waits for one. */
static int begin(struct check *p)
{
	uint64_t now = clock_boot_ns();
	int r;

	if (now < p->wait_until_ns && !place_free(p->m)) {
		loop_timer_set(p->timer, now + AGAIN_NS);
		return 0;
	}
	r = now < p->wait_until_ns ? prepare(p) : -ETIME;
	if (!r && p->purpose == FOR_PROBE)
		r = take_token(p);
	if (r) {
		end(p);
		return r;
	}
	p->wait_until_ns = 0;
	p->open = true;
	return 0;
}

static void on_timer(void *data)
{
	struct check *p = data;
	int r = begin(p);

	if (r)
		log_debug(SUB, "%s: no own probe: %s; agents' calls are the probes",
			  p->server->config->name, strerror(-r));
}

/* --- when --------------------------------------------------------------------------------------- */

/* Takes a token and begins, or waits for a place; 0, or -errno: agents' calls are the
 * probes (-ENOTSUP no URL that can be asked, no address, called through a proxy, or quarantined;
 * -EAGAIN no token). */
static int start(const void *m, struct server *s, enum purpose purpose)
{
	struct check *p = of(m, s);
	int r;

	if (p->proxied || !check_possible(s) || !s->n_addrs || server_quarantined(s))
		return -ENOTSUP;
	if (holds_token(p))
		return -EALREADY;
	p->m = m;
	p->server = s;
	r = p->timer ? 0 : loop_timer_new(s->d->loop, on_timer, p, &p->timer);
	if (!r && !p->work)
		r = work_new(s->d, &p->work);
	if (r)
		return r;
	end(p); /* of the one before only the deletion of its session can be left */
	p->wait_until_ns = clock_boot_ns() + SG_OWN_PROBE_NS;
	p->purpose = purpose;
	p->generation = s->breaker.generation;
	return begin(p);
}

/* Failures opened nothing, since others are served well: are they? */
static void check_held(const void *m, struct server *s, const struct sg_event *k)
{
	struct check *p = of(m, s);
	uint64_t now = clock_boot_ns();

	if (k->effect != SG_EFFECT_HELD || k->source == SG_SOURCE_DAEMON || p->open ||
	    p->wait_until_ns || (p->held_ns && now < p->held_ns + HELD_AGAIN_NS))
		return;
	p->held_ns = now;
	(void)!start(m, s, FOR_HELD); /* else the witness ends by time */
}

static void want(struct server *s, bool proxied)
{
	s->wanted.flags &= ~SG_SRV_PROBED;
	if (!proxied && check_possible(s))
		s->wanted.flags |= SG_SRV_PROBED;
}

/* Is the server called through a proxy? Then it may not be reached from here by itself: it is
 * not asked, and agents' calls are its probes. */
static void note_way(struct check *p, struct server *s, const struct sg_event *k)
{
	bool told = k->outcome == SG_SUCCESS || k->outcome == SG_HARD || k->outcome == SG_SOFT;

	if (!told || k->source == SG_SOURCE_DAEMON || p->proxied == (k->proxied != 0))
		return;
	p->proxied = k->proxied != 0;
	want(s, p->proxied);
}

/* The breaker's state changed: begins a probe, or gives up one without verdict. */
static void check_signal(void *m, const struct signal *signal)
{
	struct check *p = of(m, signal->server);

	if (signal->type == SIGNAL_OUTCOME)
		note_way(p, signal->server, &signal->kernel);
	if (signal->type == SIGNAL_OUTCOME)
		check_held(m, signal->server, &signal->kernel);
	if (signal->type != SIGNAL_TRANSITION)
		return;
	if (p->open || p->wait_until_ns)
		end(p);
	if (signal->kernel.move.to == SG_HALF_OPEN)
		(void)!start(m, signal->server, FOR_PROBE); /* D2 */
	if (signal->kernel.move.to == SG_OPEN && signal->kernel.source != SG_SOURCE_NONE &&
	    signal->kernel.source != SG_SOURCE_DAEMON)
		(void)!start(m, signal->server, FOR_OPENING);
}

static int check_added(void *m, struct server *s, UNUSED const struct server_start *unused)
{
	want(s, of(m, s)->proxied);
	return 0;
}

static void check_removed(void *m, struct server *s)
{
	struct check *p = of(m, s);

	if (!p->timer)
		return;
	end(p);
	loop_timer_free(TAKE_PTR(p->timer));
	work_free(TAKE_PTR(p->work));
	p->error[0] = '\0';
}

static int check_changed(void *m, struct server *s, unsigned int diff)
{
	if (diff & CONFIG_DIFF_ENDPOINTS)
		check_removed(m, s);
	want(s, of(m, s)->proxied);
	return 0;
}

static int check_degraded(void *m, struct status *to)
{
	const struct part *part = m;
	char text[400];
	int r = 0;

	for (const struct server *s = servers_first(part->d->servers); s && !r; s = s->next) {
		if (!of(m, s)->error[0])
			continue;
		snprintf(
			text, sizeof(text),
			"server \"%s\": the daemon cannot ask it: %s; agents' calls are its probes",
			s->config->name, of(m, s)->error);
		r = status_degrade(to, text);
	}
	return r;
}

const struct module healthcheck_module = {
	.name = "healthcheck",
	.server_size = sizeof(struct check),
	.server_added = check_added,
	.server_changed = check_changed,
	.server_removed = check_removed,
	.degraded = check_degraded,
	.on_signal = check_signal,
};
