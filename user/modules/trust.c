/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The trust in each server (core/trust.h): fed by the calls that the kernel reports and by what
 * scanners find, told by `status` and `explain`, and a quarantine by rule where it falls too low.
 *
 * Nothing here is needed to enforce: without memory or a disk the score is what it is, and that
 * is said. Who was punished stays it when its entry is taken out of the configuration and
 * comes again, or its address changes: its state is kept by name, and by what it is.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/messages_trust.h"
#include "codec/trust_entry.h"
#include "codec/trust_file.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "io/store.h"
#include "modules/modules.h"

#define SUB "trust"
#define TRUST_FILE "trust.json"
#define MINUTE_NS (60 * NS_PER_SEC)
#define TOLD_MAX 64U       /* findings of one server that are told of one by one, a report */
#define RATINGS_NOISE 1e-6 /* sums of ratings that differ by less are the same */
#define KEPT_MAX 1024U     /* entries of servers that are not configured any more */
struct trusted;

struct trust_module {
	struct part part;
	struct trusted *all;    /* of what is configured */
	struct store *store;    /* NULL: trust.json can be neither read nor written */
	struct trust_file kept; /* of servers that are not configured */
	struct trust_policy policy;
	char boot_id[STATE_BOOT_ID_LEN];
	uint64_t ahead_ns;  /* of the model's clock before boot time; wraps */
	bool begun;         /* there was a configuration */
	bool save_now;      /* something that must not be forgotten */
	uint64_t saved_ns;  /* boot time of the latest attempt */
	uint64_t minute_ns; /* boot time of the latest trust_tick() of all */
	char error[256];    /* why it cannot be kept; "" */
};

/* Of one server: as long as it is configured, whether the kernel knows of it or not. */
struct trusted {
	struct trusted *next;
	struct trust_entry entry;
	bool configured; /* while a configuration is applied: it is in that */
	bool touched;    /* since the latest turn */
	char reason[STATUS_REASON_LEN];
};

static struct trusted *of_name(const struct trust_module *m, const char *name)
{
	struct trusted *t = m->all;

	while (t && strcmp(t->entry.name, name) != 0)
		t = t->next;
	return t;
}

/* NULL: it has not begun. */
static struct trusted **place(const void *m, const struct server *s)
{
	return module_server(m, s->covered_by ? s->covered_by : s);
}

static struct trusted *of(const void *m, const struct server *s)
{
	return *place(m, s);
}

static uint64_t model_ns(const struct trust_module *m, uint64_t boot_ns)
{
	return boot_ns + m->ahead_ns;
}

static uint64_t now_ns(const struct trust_module *m)
{
	return model_ns(m, clock_boot_ns());
}

/* --- what is rated ----------------------------------------------------------------------------- */

/* Where it answers; of a command, what is run. And what it offers; NULL: that is left out. */
static void identify(const struct config_server *c, const char *tools, struct trust_id *ret)
{
	const bool reached = c->url_shown != NULL;
	const char *const texts[TRUST_FIELD_COUNT] = {
		[TRUST_FIELD_TRANSPORT] = reached ? "http" : "stdio",
		[TRUST_FIELD_ENDPOINT] = reached ? c->url_shown : c->command_shown,
		[TRUST_FIELD_TOOLS] = tools,
	};

	trust_identity(texts, ret);
}

/* What stands at another place has another list of tools, which is not known yet. */
static void settle_place(struct trust_entry *e, const struct trust_id *place)
{
	static const struct trust_id none;

	if (memcmp(e->place.b, place->b, sizeof(place->b)) != 0 &&
	    memcmp(e->place.b, none.b, sizeof(none.b)) != 0)
		e->tools_digest[0] = '\0';
	e->place = *place;
}

/* Of a server that is new here, or whose entry may have changed. Without memory it has none. */
static void begin(struct trust_module *m, struct server *s)
{
	struct trusted *t = of_name(m, s->config->name);
	uint64_t now = now_ns(m);
	struct trust_id where;
	struct trust_id id;

	identify(s->config, NULL, &where);
	s->identity = where; /* what others can know of it */
	s->own_rating = NAN;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return;
		if (!trust_file_take(&m->kept, s->config->name, &where, &t->entry)) {
			trust_init(&t->entry.trust, &m->policy, now);
			t->entry.trust.identity = where;
		}
		snprintf(t->entry.name, sizeof(t->entry.name), "%s", s->config->name);
		t->next = m->all;
		m->all = t;
	}
	settle_place(&t->entry, &where);
	identify(s->config, t->entry.tools_digest, &id);
	trust_identify(&t->entry.trust, &m->policy, now, &id, false);
	s->own_rating = trust_own_rating(&t->entry.trust, &m->policy, now);
	t->configured = true;
	t->touched = true;
	*place(m, s) = t;
}

/* Those of servers that are not in the configuration any more are kept. */
static void sort_out(struct trust_module *m)
{
	struct trusted **at = &m->all;

	while (*at) {
		struct trusted *t = *at;

		if (t->configured) {
			t->configured = false;
			at = &t->next;
			continue;
		}
		*at = t->next;
		trust_file_keep(&m->kept, &t->entry, KEPT_MAX);
		free(t);
	}
}

/* --- what happens to it -------------------------------------------------------------------------- */

static void on_outcome(struct trust_module *m, const struct signal *signal)
{
	const struct sg_event *k = &signal->kernel;
	struct trusted *t = of(m, signal->server);
	struct trust_call call = {
		.class = (enum sg_class)k->outcome,
		.latency_ns = k->latency_ns,
		.learn = signal->server->breaker.state == SG_CLOSED ||
			 signal->server->breaker.state == SG_RAMP,
	};

	if (!t)
		return;
	trust_call(&t->entry.trust, &m->policy, model_ns(m, k->t_ns), &call);
	t->touched = true;
}

/* What the rules say of it, carried out. An order of an operator hides that; when it is over this
 * is asked again. */
static void rule(struct trust_module *m, struct server *s, uint64_t now)
{
	struct trusted *t = of(m, s);
	struct signal signal = { .type = SIGNAL_RULED, .server = s };
	struct trust_view view;

	t->touched = false;
	trust_read(&t->entry.trust, &m->policy, now, &view);
	if (!s->id || (view.quarantine != TRUST_FREE) == server_quarantined(s))
		return;
	if (view.quarantine != TRUST_FREE) {
		trust_entry_reason(&t->entry, &view, t->reason, sizeof(t->reason));
		signal.reason = t->reason;
		m->save_now = true;
	}
	bus_emit(m->part.d->bus, &signal);
}

static void trust_turn(void *data, uint64_t now)
{
	struct trust_module *m = data;
	uint64_t model = model_ns(m, now);
	bool all = now - m->minute_ns >= MINUTE_NS;

	if (all)
		m->minute_ns = now;
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		struct trusted *t = of(m, s);

		if (s->covered_by || !t)
			continue;
		if (all) {
			trust_tick(&t->entry.trust, &m->policy, model);
			s->own_rating = trust_own_rating(&t->entry.trust, &m->policy, model);
		}
		if (all || t->touched)
			rule(m, s, model);
	}
}

/* An operator lets it go: what is known does not quarantine it again. */
static void on_released(struct trust_module *m, struct server *s)
{
	struct trusted *t = of(m, s);

	if (!t)
		return;
	trust_release(&t->entry.trust, &m->policy, now_ns(m));
	m->save_now = true;
}

/* --- what scanners found ------------------------------------------------------------------------- */

/* Of whom is it? NULL: of nobody here. The same path before the same origin. */
static struct server *whose(const struct trust_module *m, const struct finding *f)
{
	struct server *near = NULL;

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		bool exact;

		if (!of(m, s) || finding_matches(&f->server, s->config, &exact) < 0)
			continue;
		if (exact)
			return s;
		if (!near)
			near = s;
	}
	return near;
}

static const char *called(const struct finding *f)
{
	const char *name = f->server.url ? f->server.url : f->server.name;

	name = name ? name : f->server.command;
	return name ? name : "(no server is named; use --server)";
}

/* The row of a name, made if there is none; NULL: no memory. */
static struct report_server *row(struct report_server **v, size_t *n, const char *name)
{
	struct report_server *rows;

	for (size_t i = 0; i < *n; i++)
		if (!strcmp((*v)[i].server, name))
			return &(*v)[i];
	rows = reallocarray(*v, *n + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	*v = rows;
	rows[*n] = (struct report_server){ .server = strdup(name), .before = NAN, .after = NAN };
	return rows[*n].server ? &rows[(*n)++] : NULL;
}

static double score(const struct trust_module *m, const struct trusted *t, uint64_t now)
{
	struct trust_view view;

	trust_read(&t->entry.trust, &m->policy, now, &view);
	return view.score;
}

static void event_of(const struct server *s, const struct finding *f, struct event *ret)
{
	bus_event(ret, EVENT_FINDING, s->config->name);
	snprintf(ret->severity, sizeof(ret->severity), "%s", finding_severity_name(f->severity));
	snprintf(ret->by, sizeof(ret->by), "%s", f->source ? f->source : "");
	snprintf(ret->text, sizeof(ret->text), "%.60s%s%.60s%s%.120s", f->rule ? f->rule : "-",
		 f->location ? " at " : "", f->location ? f->location : "", f->message ? ": " : "",
		 f->message ? f->message : "");
}

/* One record of a server that is known; what is in it is taken over. */
static void apply(struct trust_module *m, struct server *s, struct finding *f, bool is_scan,
		  uint64_t now, struct report_server *row)
{
	struct trusted *t = of(m, s);
	bool clean = f->severity == FINDING_CLEAN;
	struct event news;
	bool known;

	if (isnan(row->before))
		row->before = score(m, t, now);
	event_of(s, f, &news);
	known = trust_entry_report(&t->entry, &m->policy, now, f, is_scan);
	if (!clean && !known && row->findings - row->known < TOLD_MAX)
		bus_report(m->part.d->bus, &news);
	row->clean |= clean;
	row->findings += !clean;
	row->known += known;
	t->touched = true;
}

/* All of a report, at one instant. */
static int apply_all(struct trust_module *m, struct findings *all, struct reply_report *ret,
		     uint64_t now)
{
	bool is_scan = all->format == FINDINGS_SARIF || all->format == FINDINGS_SNYK ||
		       all->format == FINDINGS_CISCO;

	for (size_t i = 0; i < all->n; i++) {
		struct finding *f = &all->v[i];
		struct server *s = whose(m, f);
		struct report_server *r = s ? row(&ret->servers, &ret->n_servers, s->config->name)
					    : row(&ret->unmatched, &ret->n_unmatched, called(f));

		if (!r)
			return -ENOMEM;
		if (s)
			apply(m, s, f, is_scan, now, r);
		else
			r->findings += f->severity != FINDING_CLEAN;
	}
	for (size_t i = 0; i < ret->n_servers; i++) {
		struct server *s = servers_by_name(m->part.d->servers, ret->servers[i].server);

		if (!s || !of(m, s))
			continue;
		trust_entry_tidy(&of(m, s)->entry);
		ret->servers[i].after = score(m, of(m, s), now);
	}
	m->save_now |= ret->n_servers > 0;
	return 0;
}

static void withdraw(struct trust_module *m, const char *source, uint64_t now)
{
	for (struct trusted *t = m->all; t; t = t->next) {
		if (!trust_entry_withdraw(&t->entry, &m->policy, now, source))
			continue;
		trust_entry_tidy(&t->entry);
		t->touched = true;
		m->save_now = true;
	}
}

static void on_findings(struct trust_module *m, struct findings_signal *signal)
{
	uint64_t now = now_ns(m); /* of all of it */

	signal->r = apply_all(m, signal->all, signal->reply, now);
	if (!signal->r && signal->whole)
		withdraw(m, signal->whole, now);
}

/* --- what raters say ------------------------------------------------------------------------------ */

static bool is_near(double a, double b)
{
	return fabs(a - b) < RATINGS_NOISE;
}

/* What is as it was, but for its age, is no event. Whoever praised a server praised the tools that
 * it had: while others stand in their place under the same version no praise counts. */
static void on_rated(struct trust_module *m, const struct signal *signal)
{
	struct trust_ratings fresh = signal->ratings;
	struct trusted *t = of(m, signal->server);
	struct trust_explanation was;
	uint64_t now = now_ns(m);

	if (!t)
		return;
	if (t->entry.unpulled > 0)
		fresh.good = 0;
	trust_explain(&t->entry.trust, &m->policy, now, &was);
	if (is_near(was.ratings_good, fresh.good) && is_near(was.ratings_bad, fresh.bad) &&
	    t->entry.trust.security.capped == fresh.cap)
		return;
	trust_ratings(&t->entry.trust, &m->policy, now, &fresh);
	t->touched = true;
}

static void on_tools(struct trust_module *m, struct server *s, const struct tools_signal *tools)
{
	struct trusted *t = of(m, s);
	struct trust_id id;

	if (!t)
		return;
	identify(s->config, tools->digest, &id);
	trust_entry_tools(&t->entry, &m->policy, now_ns(m), tools->digest, &id, tools->pull);
	if (tools->approved)
		trust_entry_approve(&t->entry, &m->policy, now_ns(m));
	trust_entry_tidy(&t->entry);
	t->touched = true;
	m->save_now |= tools->pull || tools->approved;
}

static void trust_signal(void *data, const struct signal *signal)
{
	struct trust_module *m = data;

	if (signal->type == SIGNAL_OUTCOME)
		on_outcome(m, signal);
	else if (signal->type == SIGNAL_FINDINGS)
		on_findings(m, signal->findings);
	else if (signal->type == SIGNAL_RATED)
		on_rated(m, signal);
	else if (signal->type == SIGNAL_TOOLS)
		on_tools(m, signal->server, signal->tools);
	else if (signal->type == SIGNAL_RELEASED && signal->by_operator)
		on_released(m, signal->server);
	if (signal->type == SIGNAL_RELEASED && of(m, signal->server))
		of(m, signal->server)->touched = true;
}

/* --- what is told of it --------------------------------------------------------------------------- */

static int trust_fill(void *data, struct server *s, struct status_server *to)
{
	const struct trust_module *m = data;
	const struct trusted *t = of(m, s);
	struct trust_view view;

	if (!t)
		return 0;
	trust_read(&t->entry.trust, &m->policy, now_ns(m), &view);
	to->has_trust = true;
	to->trust.score = view.score;
	snprintf(to->trust.band, sizeof(to->trust.band), "%s", trust_band_names[view.band]);
	to->trust.performance = view.performance;
	to->trust.security = view.security;
	to->trust.community = view.community;
	to->trust.strikes = view.strikes;
	to->trust.restricted = view.restricted;
	return 0;
}

static uint64_t wall_of(void *arg, uint64_t model)
{
	return clock_boot_to_wall_ns(model - ((const struct trust_module *)arg)->ahead_ns);
}

static void on_explain(void *data, struct http_request *q, struct server *s)
{
	struct trust_module *m = data;
	struct reply_explain *e = calloc(1, sizeof(*e));
	struct buf out = BUF(REPLY_MAX);
	int r = -ENOMEM;

	if (e && of(m, s))
		r = trust_entry_explain(&of(m, s)->entry, &m->policy, now_ns(m), wall_of, m, e);
	MODULES_TRY(r, bus_modules(m->part.d->bus), explain, s, e);
	if (!r)
		r = reply_explain_encode(e, &out);
	reply_document(q, REPLY_JSON, &out, r);
	if (e)
		reply_explain_done(e);
	free(e);
}

static void trust_metrics(void *data, struct metrics *to)
{
	const struct trust_module *m = data;
	uint64_t now = now_ns(m);

	metrics_family(to, "switchgear_trust_score", METRICS_GAUGE,
		       "Trust in a server, 0 to 100: see `switchgear explain`.");
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		const struct metrics_label label = { "server", s->config->name };

		if (!s->covered_by && of(m, s))
			metrics_double(to, &label, 1, score(m, of(m, s), now));
	}
}

static int trust_degraded(void *data, struct status *to)
{
	const struct trust_module *m = data;

	return m->error[0] ? status_degrade(to, m->error) : 0;
}

/* --- over restarts ---------------------------------------------------------------------------------- */

static struct state_clock clocks(const struct trust_module *m)
{
	struct state_clock now = { .boot_ns = clock_boot_ns(), .wall_ns = clock_wall_ns() };

	memcpy(now.boot_id, m->boot_id, sizeof(now.boot_id));
	return now;
}

/* One generation of the file; what is damaged is set aside, and that is said. */
static bool load_one(struct trust_module *m, const char *name)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(buf_done) struct buf why = BUF(512);
	struct trust_file loaded = { 0 };
	size_t len = 0;
	int r = store_read(m->store, name, TRUST_FILE_MAX, &text, &len);

	if (r == -ENOENT)
		return false;
	if (!r)
		r = trust_file_decode(text, len, &loaded, &why);
	if (!r) { /* to those that have gone since the start */
		for (size_t i = 0; i < m->kept.n_entries; i++)
			trust_file_keep(&loaded, &m->kept.entries[i], KEPT_MAX);
		trust_file_done(&m->kept);
		m->kept = loaded;
		return true;
	}
	store_damaged(m->store, SUB, name, r, buf_str(&why));
	bus_alarm(
		m->part.d->bus, "",
		"%s is damaged: scores, findings and strikes in it are lost unless the generation "
		"before it has them; report the scans again",
		name);
	return false;
}

/* What was kept of a server that began without it; what it did since then is added if it is bad. */
static void catch_up(struct trust_module *m, struct trusted *t, uint64_t now)
{
	struct trust_entry since = t->entry;
	bool same;

	if (!trust_file_take(&m->kept, since.name, &since.place, &t->entry))
		return;
	/* its tools were known; what they are now has not been asked yet */
	same = !*since.tools_digest && *t->entry.tools_digest &&
	       !memcmp(t->entry.place.b, since.place.b, sizeof(since.place.b));
	memcpy(t->entry.name, since.name, sizeof(since.name));
	if (!same) {
		memcpy(t->entry.tools_digest, since.tools_digest, sizeof(since.tools_digest));
		t->entry.place = since.place;
		trust_identify(&t->entry.trust, &m->policy, now, &since.trust.identity, false);
	}
	trust_inherit(&t->entry.trust, &m->policy, now, &since.trust);
	trust_entry_done(&since);
	t->touched = true;
}

/* Once, when the directory can be used: that it cannot is said by who keeps the rest there. */
static void load(struct trust_module *m)
{
	const char *dir = m->part.d->settings->state_dir;
	struct state_clock now = clocks(m);
	struct stat st;
	uint64_t model;

	if (m->store)
		return;
	if (stat(dir, &st) || !S_ISDIR(st.st_mode) || store_open_beside(dir, &m->store)) {
		snprintf(m->error, sizeof(m->error),
			 "trust cannot be kept in %.100s: what is learned now would not survive a "
			 "restart; trying again",
			 dir);
		return;
	}
	m->error[0] = '\0';
	if (!load_one(m, TRUST_FILE) && !load_one(m, TRUST_FILE ".1"))
		return;
	model = trust_file_clock(&m->kept, &now);
	if (m->ahead_ns < model || !m->begun)
		m->ahead_ns = model; /* it never goes back */
	for (struct trusted *t = m->all; t; t = t->next)
		catch_up(m, t, now_ns(m));
}

/* All entries of servers, and those that are kept, borrowed. */
static int gather(const struct trust_module *m, struct trust_file *ret)
{
	size_t n = m->kept.n_entries;

	*ret = (struct trust_file){ .clock_ns = now_ns(m), .saved = clocks(m) };
	for (const struct trusted *t = m->all; t; t = t->next)
		n++;
	ret->entries = calloc(n + 1, sizeof(*ret->entries));
	if (!ret->entries)
		return -ENOMEM;
	for (const struct trusted *t = m->all; t; t = t->next)
		ret->entries[ret->n_entries++] = t->entry;
	for (size_t i = 0; i < m->kept.n_entries; i++)
		ret->entries[ret->n_entries++] = m->kept.entries[i];
	return 0;
}

static void save(struct trust_module *m)
{
	struct trust_file all;
	struct buf out = BUF(TRUST_FILE_MAX + 64);
	int r = gather(m, &all);

	if (!r)
		r = trust_file_encode(&all, &out);
	if (!r)
		r = store_write(m->store, TRUST_FILE, out.data, out.len);
	free(all.entries);
	buf_done(&out);
	m->saved_ns = clock_boot_ns();
	m->save_now = m->save_now && r;
	m->error[0] = '\0';
	if (r)
		snprintf(m->error, sizeof(m->error),
			 "trust cannot be written to %.100s (%s): what is learned now would not "
			 "survive a restart; trying again",
			 m->part.d->settings->state_dir, strerror(-r));
}

/* What must not be forgotten at once, the rest once a minute; a disk that fails is tried as often. */
static int trust_commit(void *data)
{
	struct trust_module *m = data;
	uint64_t since = clock_boot_ns() - m->saved_ns;

	if (!m->store)
		load(m);
	if (m->store && (since >= MINUTE_NS || (m->save_now && !m->error[0])))
		save(m);
	return 0;
}

static void trust_applied(void *data, const struct config *config)
{
	struct trust_module *m = data;
	bool first = !m->begun;
	uint64_t now;

	load(m);
	m->begun = true;
	now = now_ns(m);
	for (struct trusted *t = m->all; t && !first; t = t->next)
		trust_set_policy(&t->entry.trust, &m->policy, &config->trust, now);
	m->policy = config->trust;
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (s->covered_by)
			*(struct trusted **)module_server(m, s) = NULL;
		else
			begin(m, s);
	sort_out(m);
	m->save_now = true;
}

static int trust_start(void *data)
{
	struct trust_module *m = data;

	m->policy = trust_policy_defaults();
	if (boot_id_read(m->boot_id, sizeof(m->boot_id)))
		log_debug(SUB, "no boot id: a restart counts as a reboot");
	return 0;
}

static void trust_stop(void *data)
{
	struct trust_module *m = data;

	if (m->store && servers_n(m->part.d->servers))
		save(m);
	store_close(m->store);
	while (m->all) {
		struct trusted *t = m->all;

		m->all = t->next;
		trust_entry_done(&t->entry);
		free(t);
	}
	trust_file_done(&m->kept);
}

static const struct api_route routes[] = {
	{ "GET", "v1/servers/*/explain", API_READ, on_explain },
	{ 0 },
};

const struct module trust_module = {
	.name = SUB,
	.size = sizeof(struct trust_module),
	.server_size = sizeof(struct trusted *),
	.start = trust_start,
	.stop = trust_stop,
	.applied = trust_applied,
	.on_signal = trust_signal,
	.turn = trust_turn,
	.commit = trust_commit,
	.degraded = trust_degraded,
	.fill_server = trust_fill,
	.write_metrics = trust_metrics,
	.routes = routes,
};
