/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where connects go that a server does not get: to another server that stands in for it, to the
 * relay, which hands on what agents say or answers itself, or nowhere. The kernel is told
 * beforehand (dataplane_redirect_set()), so that it alone acts the moment a breaker opens; what
 * agents are told of the reason follows.
 *
 * Invariants:
 *  B1  Fail-closed: whatever is not known to be right is refused, as without all this.
 *  B2  Nobody is sent to the relay while it takes no connections.
 *  B3  Credentials go to another server only where the operator says so: what they would go to
 *      otherwise by a redirect alone goes through the relay, or is refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/tools.h"
#include "core/fallback.h"
#include "core/why.h"
#include "daemon/bus.h"
#include "daemon/relay_rule.h"
#include "daemon/shown.h"
#include "io/relay.h"
#include "modules/modules.h"
#include "verdict.h"

#define SUB "fallback"
#define REVIEW_NS (5 * NS_PER_SEC) /* the order by trust changes without a signal */

struct fallback {
	struct part part;
	struct relay *relay; /* NULL: nobody needs it, or it cannot be had */
	struct loop_source *source;
	struct loop_timer *due;
	bool needed;     /* there are servers that it could answer for */
	bool up;         /* it took connections when we looked last */
	char error[192]; /* why it cannot be had; "" */
	uint64_t review_ns;
};

/* One that may stand in, as it was judged last. */
struct judged {
	struct status_candidate shown;
	struct server *server; /* NULL: there is none of that name, or nobody watches it */
};

/* Of one server. */
struct standing {
	bool stale;
	bool denied;    /* it did not get connects when this was written */
	bool inherited; /* `written` is of a daemon before this one, and nobody has answered yet */
	struct sg_redirect written;
	struct relay_rule *rule; /* as the relay has it; NULL: none */
	const char *listing;     /* the same; borrowed, compared only */
	struct status_fallback shown;
	struct status_candidate *candidates;
	size_t n_candidates;
	struct relay_stats stats;  /* of this process of the relay */
	struct relay_stats before; /* sums over those before it */
};

static struct standing *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static bool speaks_http(const struct server *s)
{
	return s->config->has_url && s->config->scheme == URL_HTTP && !server_at_unix(s);
}

/* Is it a server whose denied connects may go elsewhere at all? */
static bool concerned(const struct server *s)
{
	return server_watched(s) && s->config->has_url && s->config->on_open != ON_OPEN_REFUSE;
}

/* --- who stands in ------------------------------------------------------------------------------ */

/* How the tools of one compare with those of the server that it stands in for. */
static int compare(const struct server *s, const struct server *other, struct fallback_candidate *c,
		   struct status_candidate *shown)
{
	CLEANUP(freep) struct tool_change *changes = NULL;
	size_t n;

	if (!s->approved || !other->offered)
		return 0; /* not known */
	n = tools_diff(s->approved, other->offered, NULL, 0);
	changes = calloc(n + 1, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	tools_diff(s->approved, other->offered, changes, n);
	for (size_t i = 0; i < n; i++)
		c->missing += changes[i].kind == TOOL_REMOVED;
	if (n)
		tools_diff_print(s->approved, other->offered, shown->differs,
				 sizeof(shown->differs));
	return 0;
}

static int judge(const struct server *s, struct server *other, struct status_server *status,
		 struct fallback_candidate *c, struct status_candidate *shown)
{
	int r = shown_judged(other, status);

	*c = (struct fallback_candidate){ .status = status,
					  .addressed = other->n_addrs != 0,
					  .asked = other->proof.asked,
					  .answered = other->proof.answered,
					  .failure = other->proof.failure,
					  .differs = shown->differs };
	shown->asked_wall_ns = other->proof.asked_wall_ns;
	return r ? r : compare(s, other, c, shown);
}

/* Fills what is shown of each, and returns the one to use; NULL: none can be. */
static struct server *choose(struct fallback *m, const struct server *s, struct standing *st)
{
	const struct config_server *c = s->config;
	struct fallback_candidate v[CONFIG_FALLBACK_MAX] = { 0 };
	struct server *server[CONFIG_FALLBACK_MAX] = { 0 };
	struct status_server *status;
	size_t n = 0;
	size_t best;

	free(st->candidates);
	st->n_candidates = 0;
	st->candidates = calloc(c->fallback.n + 1, sizeof(*st->candidates));
	status = calloc(c->fallback.n + 1, sizeof(*status));
	for (size_t i = 0; st->candidates && status && i < c->fallback.n; i++) {
		struct server *other = servers_by_name(m->part.d->servers, c->fallback.v[i]);
		struct status_candidate *shown = &st->candidates[st->n_candidates++];

		snprintf(shown->server, sizeof(shown->server), "%s", c->fallback.v[i]);
		if (!other || !server_watched(other)) {
			snprintf(shown->why, sizeof(shown->why), "%s",
				 other ? "it shares its address with another server"
				       : "it is not watched");
			continue;
		}
		if (judge(s, other, &status[n], &v[n], shown))
			snprintf(shown->why, sizeof(shown->why), "%s", strerror(ENOMEM));
		else
			shown->usable = fallback_usable(&v[n], c->fallback_partial, shown->why,
							sizeof(shown->why));
		server[n++] = other;
	}
	best = fallback_choose(v, n, c->fallback_by_trust, c->fallback_partial);
	for (size_t i = 0; i < n; i++)
		status_server_done(&status[i]);
	free(status);
	return best == FALLBACK_NONE ? NULL : server[best];
}

/* --- what the kernel is told ---------------------------------------------------------------------- */

/* Fills the first address of each family of a server that is its own; false: it has none. */
static bool aim(const struct server *to, struct sg_redirect *ret)
{
	struct dataplane *dp = to->d->dp;

	for (size_t i = 0; i < to->n_addrs; i++) {
		const struct addr *a = &to->addrs[i];
		bool v4 = addr_is_v4(a);
		uint32_t at;

		if ((v4 ? ret->port4 : ret->port6) ||
		    dataplane_endpoint_at(dp, to->id, a, to->config->port, &at))
			continue;
		memcpy(v4 ? ret->addr4 : ret->addr6, a->bytes, sizeof(a->bytes));
		*(v4 ? &ret->at4 : &ret->at6) = at;
		*(v4 ? &ret->port4 : &ret->port6) = htons(to->config->port);
		if (addr_is_loopback(a) || dataplane_is_own(dp, a))
			ret->netns = dataplane_home_netns(dp);
	}
	return ret->port4 || ret->port6;
}

static bool of_relay(const struct sg_redirect *r)
{
	return r->kind > SG_REDIRECT_DIRECT;
}

static void aim_at_relay(const struct fallback *m, struct sg_redirect *ret)
{
	static const uint8_t loopback4[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 };
	static const uint8_t loopback6[16] = { [15] = 1 };
	uint16_t v4;
	uint16_t v6;

	relay_ports(m->relay, &v4, &v6);
	ret->netns = dataplane_home_netns(m->part.d->dp);
	if (v4)
		memcpy(ret->addr4, loopback4, sizeof(loopback4));
	if (v6)
		memcpy(ret->addr6, loopback6, sizeof(loopback6));
	ret->port4 = htons(v4);
	ret->port6 = htons(v6);
}

/* Writes it if it is not there yet. What cannot be written is refused or, if the last one still
 * stands, goes where it went before: it is tried again. */
static void point(const struct fallback *m, const struct server *s, struct standing *st,
		  const struct sg_redirect *to)
{
	int r;

	if (!memcmp(&st->written, to, sizeof(*to)))
		return;
	r = dataplane_redirect_set(m->part.d->dp, s->id, to);
	if (r) {
		log_failure(r, SUB, "%s: where its denied connects go cannot be written",
			    s->config->name);
		st->stale = true;
		return;
	}
	st->written = *to;
}

/* --- what the relay is told ------------------------------------------------------------------------ */

/* By their bytes: relay_rule_fill() has zeroed what is between the members. */
static bool same_rule(const void *a, const void *b)
{
	return !memcmp(a, b, sizeof(struct relay_rule));
}

static void tell_relay(struct fallback *m, const struct server *s, struct standing *st,
		       const struct relay_rule *rule)
{
	int r;

	if (st->rule && same_rule(st->rule, rule) && st->listing == s->listing)
		return;
	/* nobody needs the relay to get there any more: who is still at it would be led astray */
	if (st->rule && st->rule->flags & RELAY_TO_PRIMARY && !(rule->flags & RELAY_TO_PRIMARY) &&
	    !st->denied)
		relay_drop_rule(m->relay, s->id);
	if (!st->rule)
		st->rule = calloc(1, sizeof(*st->rule));
	r = st->rule ? relay_set_rule(m->relay, rule, s->listing,
				      s->listing ? strlen(s->listing) : 0)
		     : -ENOMEM;
	if (r == -E2BIG || (r == -EINVAL && s->listing)) /* then without it */
		r = relay_set_rule(m->relay, rule, NULL, 0);
	if (r) {
		log_failure(r, SUB, "%s: the relay cannot be told", s->config->name);
		free(TAKE_PTR(st->rule));
		return;
	}
	*st->rule = *rule;
	st->listing = s->listing;
}

static void untell_relay(struct fallback *m, const struct server *s, struct standing *st)
{
	if (st->rule && m->relay)
		relay_drop_rule(m->relay, s->id);
	free(TAKE_PTR(st->rule));
	st->listing = NULL;
}

/* --- putting it together ---------------------------------------------------------------------------- */

static void report(const struct server *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void report(const struct server *s, const char *fmt, ...)
{
	struct event e;
	va_list ap;

	bus_event(&e, EVENT_FALLBACK, s->config->name);
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	bus_report(s->d->bus, &e);
}

/* Tells what becomes of denied connects, if that is news. */
static void tell(const struct server *s, const struct standing *st,
		 const struct status_fallback *before, bool was_denied)
{
	const struct status_fallback *now = &st->shown;

	if (!st->denied ||
	    (was_denied && now->kind == before->kind && !strcmp(now->to, before->to)))
		return;
	switch (now->kind) {
	case SG_REDIRECT_DIRECT:
		report(s, "connects go to \"%s\"", now->to);
		break;
	case SG_REDIRECT_FORWARD:
		report(s, "connects go to \"%s\", by the relay", now->to);
		break;
	case SG_REDIRECT_STAND_IN:
		report(s, "the stand-in answers agents%s%s", *now->why ? ": " : "", now->why);
		break;
	default:
		report(s, "connects are refused%s%s", *now->why ? ": " : "", now->why);
		break;
	}
}

/* The server gets connects again: what went elsewhere comes back, but nothing in a call. */
static void call_back(struct fallback *m, const struct server *s, struct standing *st)
{
	struct signal signal = { .type = SIGNAL_KILL, .server = (struct server *)s };

	bus_emit(s->d->bus, &signal);
	if (st->rule && m->relay) {
		relay_drop_rule(m->relay, s->id);
		free(TAKE_PTR(st->rule));
	}
	report(s, "connects go to it again");
}

static bool is_denied(const struct server *s)
{
	return server_quarantined(s) || s->breaker.state == SG_RAMP ||
	       sg_breaker_denies(&s->breaker, clock_boot_ns());
}

/* Says why there is nothing better, unless more has been said already. */
static void lacks(struct standing *st, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void lacks(struct standing *st, const char *fmt, ...)
{
	size_t n = strlen(st->shown.why);
	va_list ap;

	va_start(ap, fmt);
	if (!n)
		vsnprintf(st->shown.why, sizeof(st->shown.why), fmt, ap);
	va_end(ap);
}

/* By the relay to another server, or with `to` NULL its own answer. False: it is not to be had. */
static bool by_relay(struct fallback *m, const struct server *s, struct standing *st,
		     const struct server *to, const struct why *why, struct sg_redirect *ret)
{
	struct relay_rule rule;

	if (!speaks_http(s)) {
		lacks(st, "nobody can answer with the certificate of an https server");
		return false;
	}
	if (!m->up) {
		lacks(st, "the relay does not run: %.160s",
		      m->relay ? relay_why(m->relay) : m->error);
		return false;
	}
	if (relay_rule_fill(s, to, why, st->candidates, st->n_candidates, &rule)) {
		lacks(st, "a URL holds a secret or is too long: the relay cannot ask there");
		return to && by_relay(m, s, st, NULL, why, ret);
	}
	tell_relay(m, s, st, &rule);
	if (!st->rule)
		return false;
	ret->kind = rule.kind == RELAY_FORWARD ? SG_REDIRECT_FORWARD : SG_REDIRECT_STAND_IN;
	aim_at_relay(m, ret);
	return true;
}

static void decide(struct fallback *m, const struct server *s, struct standing *st,
		   struct server *to, const struct why *why, struct sg_redirect *ret)
{
	const struct config_server *c = s->config;
	bool direct = to && (!speaks_http(s) || c->fallback_direct);

	if (c->on_open == ON_OPEN_FALLBACK && !to)
		lacks(st, "no fallback can be used");
	if (direct && aim(to, ret)) {
		ret->kind = SG_REDIRECT_DIRECT;
		untell_relay(m, s, st);
	} else if (!st->denied && st->stats.sessions && m->up && speaks_http(s) &&
		   by_relay(m, s, st, s, why, ret)) {
		ret->flags =
			SG_REDIRECT_ALL; /* sessions that began at the relay are unknown to it */
	} else if (!by_relay(m, s, st, direct ? NULL : to, why, ret)) {
		untell_relay(m, s, st);
		*ret = (struct sg_redirect){ 0 };
	}
	st->shown.kind = (enum sg_redirect_kind)ret->kind;
	st->shown.returning = ret->flags & SG_REDIRECT_ALL;
	if (to && (ret->kind == SG_REDIRECT_DIRECT || ret->kind == SG_REDIRECT_FORWARD))
		snprintf(st->shown.to, sizeof(st->shown.to), "%s", to->config->name);
}

/*
 * A redirect that a daemon before this one wrote stays until its server has been asked: a restart
 * must not be a hole. The kernel asks that server's own breaker all the same. NULL: it is over.
 */
static struct server *inherited(struct fallback *m, const struct server *s, struct standing *st)
{
	uint32_t at = st->written.port6 ? st->written.at6 : st->written.at4;
	struct server *to = servers_by_id(m->part.d->servers, SG_AT_ID(at));
	bool listed = false;

	for (size_t i = 0; to && i < s->config->fallback.n; i++)
		listed |= !strcmp(s->config->fallback.v[i], to->config->name);
	st->inherited = st->inherited && listed && !to->proof.asked;
	return st->inherited ? to : NULL;
}

static void settle(struct fallback *m, struct server *s)
{
	struct standing *st = of(m, s);
	struct status_fallback before = st->shown;
	struct sg_redirect to = { 0 };
	struct status_server status;
	bool was_denied = st->denied;
	struct server *other;
	struct why why;

	st->stale = false;
	st->shown = (struct status_fallback){ 0 };
	if (!concerned(s)) {
		untell_relay(m, s, st);
		point(m, s, st, &to);
		return;
	}
	if (shown_judged(s, &status)) {
		status_server_done(&status);
		st->stale = true;
		return;
	}
	why_of(&status, clock_wall_ns(), &why);
	status_server_done(&status);
	st->denied = is_denied(s);
	if (was_denied && !st->denied)
		call_back(m, s, st);
	other = choose(m, s, st);
	if (!other)
		other = inherited(m, s, st);
	decide(m, s, st, other, &why, &to);
	point(m, s, st, &to);
	tell(s, st, &before, was_denied);
}

/* --- the relay's process ------------------------------------------------------------------------------ */

static void stale_all(struct fallback *m)
{
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		of(m, s)->stale = true;
}

static void add(struct relay_stats *sum, const struct relay_stats *more)
{
	sum->answered += more->answered;
	sum->forwarded += more->forwarded;
	sum->replayed += more->replayed;
	sum->failed += more->failed;
}

static void relay_follow(struct fallback *m)
{
	bool up = relay_up(m->relay);

	loop_timer_set(m->due, relay_due_ns(m->relay));
	if (up == m->up)
		return;
	m->up = up;
	dataplane_relay_user(m->part.d->dp, up ? (uint32_t)relay_user(m->relay) : 0);
	if (up)
		log_info(SUB, "the relay runs, pid %d", (int)relay_pid(m->relay));
	else
		log_warning(SUB, "the relay has ended: %s; connects are refused until it is back",
			    relay_why(m->relay));
	for (struct server *s = servers_first(m->part.d->servers); s && !up; s = s->next) {
		add(&of(m, s)->before, &of(m, s)->stats);
		of(m, s)->stats = (struct relay_stats){ 0 };
	}
	stale_all(m);
}

static void on_relay(void *data)
{
	struct fallback *m = data;

	relay_run(m->relay);
	relay_follow(m);
	bus_pass(m->part.d->bus);
}

static void on_stats(void *owner, const struct relay_stats *stats)
{
	struct fallback *m = owner;
	struct server *s = servers_by_id(m->part.d->servers, stats->server);
	struct standing *st = s ? of(m, s) : NULL;

	if (!s || !st->rule || stats->incarnation != st->rule->incarnation)
		return;
	st->stale |= !st->stats.sessions != !stats->sessions;
	st->stats = *stats;
}

static void relay_end(struct fallback *m)
{
	if (!m->relay)
		return;
	loop_del(TAKE_PTR(m->source));
	loop_timer_off(m->due);
	relay_free(TAKE_PTR(m->relay));
	m->up = false;
	dataplane_relay_user(m->part.d->dp, 0);
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		free(TAKE_PTR(of(m, s)->rule));
		add(&of(m, s)->before, &of(m, s)->stats);
		of(m, s)->stats = (struct relay_stats){ 0 };
	}
}

static void relay_begin(struct fallback *m)
{
	int origins = dataplane_origins_fd(m->part.d->dp);
	const struct relay_spec spec = { .origins = &origins, .stats = on_stats, .owner = m };
	int r = relay_new(&spec, &m->relay);

	m->error[0] = '\0';
	if (!r)
		r = loop_add_fd(m->part.d->loop, relay_fd(m->relay), on_relay, m, &m->source);
	if (r) {
		snprintf(m->error, sizeof(m->error), "%s", strerror(-r));
		relay_end(m);
		return;
	}
	relay_run(m->relay);
	relay_follow(m);
}

/* Runs while there is a server that needs it. */
static void applied(struct fallback *m)
{
	m->needed = false;
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		m->needed |= concerned(s) && speaks_http(s);
	if (m->needed && !m->relay)
		relay_begin(m);
	else if (!m->needed)
		relay_end(m);
	stale_all(m);
}

/* --- doubt ---------------------------------------------------------------------------------------------- */

/*
 * Connects of the server may have gone elsewhere since one of them, or a call, failed as if it were
 * gone (SG_DOUBT_NS): it has been asked. It is there: what went elsewhere comes back. It is not: its
 * breaker opens at once, since others are ready.
 */
static void proven(struct fallback *m, struct server *s)
{
	struct sg_command cmd = { .op = SG_CMD_REACHED, .server = s->id };
	struct standing *st = of(m, s);

	if (!concerned(s) || st->denied || !*st->shown.to || !s->proof.told || !s->proof.doubted)
		return;
	if (!s->proof.answered) {
		server_trip(s, s->breaker.generation, SG_REASON_OWN_PROBE);
		return;
	}
	cmd.generation = s->breaker.generation;
	(void)!dataplane_command(s->d->dp, &cmd); /* else it ends by time */
	if (st->rule && m->relay && st->rule->kind == RELAY_FORWARD) {
		relay_drop_rule(m->relay, s->id);
		free(TAKE_PTR(st->rule));
		st->stale = true;
	}
}

/* --- hooks --------------------------------------------------------------------------------------------- */

/* Whom it concerns that something of this server is another. */
static void touch(struct fallback *m, const struct server *touched)
{
	const char *group = touched->config->group;

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		const struct config_server *c = s->config;

		of(m, s)->stale |= s == touched || (group && c->group && !strcmp(group, c->group));
		for (size_t i = 0; i < c->fallback.n; i++)
			of(m, s)->stale |= !strcmp(c->fallback.v[i], touched->config->name);
	}
}

static void fallback_signal(void *data, const struct signal *signal)
{
	struct fallback *m = data;

	if (signal->type == SIGNAL_APPLIED) {
		applied(m);
	} else if (signal->type == SIGNAL_TICK) {
		if (clock_boot_ns() < m->review_ns)
			return;
		m->review_ns = clock_boot_ns() + REVIEW_NS;
		for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
			of(m, s)->stale |= s->config->fallback_by_trust;
		if (m->needed && !m->relay) { /* it could not be had before */
			relay_begin(m);
			stale_all(m);
		}
	} else if (signal->server) {
		touch(m, signal->server);
		if (signal->type == SIGNAL_PROVEN)
			proven(m, signal->server);
	}
}

static void fallback_turn(void *data, UNUSED uint64_t now)
{
	struct fallback *m = data;
	bool told = false;

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		if (!of(m, s)->stale || !server_watched(s))
			continue;
		settle(m, s);
		told = true;
	}
	if (told && m->relay) { /* it hears of the rules now */
		relay_run(m->relay);
		relay_follow(m);
	}
}

static int fallback_added(void *m, struct server *s, UNUSED const struct server_start *start)
{
	struct standing *st = of(m, s);
	int r;

	*st = (struct standing){ .stale = true };
	r = dataplane_redirect_get(s->d->dp, s->id, &st->written);
	if (!r && of_relay(&st->written)) /* of a daemon before this one */
		point(m, s, st, &(struct sg_redirect){ 0 });
	st->inherited = st->written.kind == SG_REDIRECT_DIRECT;
	return r;
}

static int fallback_changed(void *m, struct server *s, UNUSED unsigned int diff)
{
	touch(m, s);
	return 0;
}

static void fallback_removed(void *data, struct server *s)
{
	struct fallback *m = data;
	struct standing *st = of(m, s);
	const struct sg_redirect none = { 0 };

	if (server_watched(s)) {
		untell_relay(m, s, st);
		point(m, s, st, &none);
	}
	free(st->rule);
	free(st->candidates);
	*st = (struct standing){ 0 };
}

static int fallback_start(void *data)
{
	struct fallback *m = data;

	return loop_timer_new(m->part.d->loop, on_relay, m, &m->due);
}

/* What other servers stand in for outlives this daemon; what the relay does ends with its lease. */
static void fallback_stop(void *data)
{
	struct fallback *m = data;

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (server_watched(s) && of_relay(&of(m, s)->written))
			point(m, s, of(m, s), &(struct sg_redirect){ 0 });
	relay_end(m);
	loop_timer_free(m->due);
}

static int fallback_fill(void *m, struct server *s, struct status_server *to)
{
	const struct standing *st = of(m, s);

	if (!concerned(s))
		return 0;
	to->has_fallback = true;
	to->fallback = st->shown;
	to->candidates = calloc(st->n_candidates + 1, sizeof(*to->candidates));
	if (!to->candidates)
		return -ENOMEM;
	for (size_t i = 0; i < st->n_candidates; i++)
		to->candidates[to->n_candidates++] = st->candidates[i];
	return 0;
}

static int fallback_degraded(void *data, struct status *to)
{
	const struct fallback *m = data;
	char text[512];
	int r = 0;

	if (m->error[0] || (m->relay && !m->up)) {
		snprintf(text, sizeof(text),
			 "the relay does not run (%s): where it would answer for a server or hand "
			 "on what agents say, connects are refused; trying again",
			 m->error[0] ? m->error : relay_why(m->relay));
		r = status_degrade(to, text);
	}
	for (struct server *s = servers_first(m->part.d->servers); s && !r; s = s->next) {
		const struct standing *st = of(m, s);

		if (!concerned(s) || s->config->on_open != ON_OPEN_FALLBACK || *st->shown.to ||
		    st->shown.returning || !st->n_candidates)
			continue;
		snprintf(text, sizeof(text), "server \"%s\": no fallback can be used: %s: %s",
			 s->config->name, st->candidates[0].server, st->candidates[0].why);
		r = status_degrade(to, text);
	}
	return r;
}

static void counts(struct fallback *m, struct metrics *to, const char *kind, size_t offset)
{
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		const struct metrics_label labels[] = { { "server", s->config->name },
							{ "kind", kind } };
		const struct standing *st = of(m, s);

		if (concerned(s))
			metrics_u64(to, labels, ARRAY_SIZE(labels),
				    *(const uint64_t *)((const char *)&st->before + offset) +
					    *(const uint64_t *)((const char *)&st->stats + offset));
	}
}

static void fallback_metrics(void *data, struct metrics *to)
{
	struct fallback *m = data;

	metrics_family(to, "switchgear_relay_up", METRICS_GAUGE,
		       "1: the relay takes connections; 0: it does not, or nobody needs it.");
	metrics_u64(to, NULL, 0, m->up);
	metrics_family(
		to, "switchgear_relay_requests_total", METRICS_COUNTER,
		"Requests of agents at the relay: answered by the stand-in, forwarded to "
		"another server, failed there; and sessions that were begun anew (replayed).");
	counts(m, to, "answered", offsetof(struct relay_stats, answered));
	counts(m, to, "forwarded", offsetof(struct relay_stats, forwarded));
	counts(m, to, "replayed", offsetof(struct relay_stats, replayed));
	counts(m, to, "failed", offsetof(struct relay_stats, failed));
}

const struct module fallback_module = {
	.name = SUB,
	.size = sizeof(struct fallback),
	.server_size = sizeof(struct standing),
	.start = fallback_start,
	.stop = fallback_stop,
	.server_added = fallback_added,
	.server_changed = fallback_changed,
	.server_removed = fallback_removed,
	.on_signal = fallback_signal,
	.turn = fallback_turn,
	.fill_server = fallback_fill,
	.degraded = fallback_degraded,
	.write_metrics = fallback_metrics,
};
