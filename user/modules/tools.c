/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What servers offer: the daemon asks each for its list of tools when it begins, when its breaker
 * has closed, when it is released, and every trust.tools_seconds; compares that with the list that
 * is approved, and tells who rates it (SIGNAL_TOOLS). The list that is seen first is approved, and
 * so is another one under another version. Another one under the same version is a rug pull,
 * until an operator approves.
 *
 * A worker asks (io/worker.h), on connections that no breaker counts: whatever comes of it, or
 * nothing, is no verdict about the server. Fail-open: who cannot be asked, or does not answer,
 * keeps what was known of it, and why there is nothing new is said.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "codec/findings.h"
#include "codec/tools_file.h"
#include "core/policy.h"
#include "daemon/bus.h"
#include "daemon/listing.h"
#include "daemon/probing.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "daemon/work.h"
#include "io/store.h"
#include "modules/modules.h"

#define SUB "tools"
#define TOOLS_FILE "tools.json"
#define AT_ONCE 4
#define LOOK_NS (NS_PER_SEC / 2)
#define LIMIT_NS (20 * NS_PER_SEC) /* for all pages of a list */
#define SAVE_AGAIN_NS (60 * NS_PER_SEC)
#define KEPT_MAX 1024U /* entries of servers that are not configured any more */

struct known {
	struct known *next;
	struct tools_entry entry;
	char *listing;   /* as the server told it, JSON; NULL: not known, or nobody needs it */
	bool configured; /* while a configuration is applied: it is in that */
};

struct asking;

struct tools_module {
	struct part part;
	struct known *all;
	struct store *store; /* NULL: tools.json can be neither read nor written */
	struct loop_timer *timer;
	struct work *work[AT_ONCE];
	struct asking *busy[AT_ONCE];
	uint64_t period_ns; /* 0: nobody is asked */
	uint64_t saved_ns;  /* boot time of the latest attempt */
	bool dirty;
	char error[256]; /* why it cannot be kept; "" */
};

/* Of one server. */
struct asking {
	struct tools_module *m;
	struct server *server; /* NULL: it has not begun */
	struct work_job *job;  /* NULL: none is running */
	size_t slot;           /* of the job */
	uint64_t next_ns;
	uint64_t own; /* cookie of its socket; 0: none */
	uint32_t era; /* as the last one found it */
	bool told;    /* all of the answer came */
	bool proxied; /* the latest call that told of it went through a proxy */
	struct buf text;
	char why[TOOLS_WHY_LEN]; /* there was no list the last time; "": there was, or nobody asked */
};

static struct asking *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static struct known *of_name(const struct tools_module *m, const char *name)
{
	struct known *k = m->all;

	while (k && strcmp(k->entry.name, name) != 0)
		k = k->next;
	return k;
}

static bool is_listed(const struct known *k)
{
	return k && k->entry.seen_wall_ns;
}

/* For who compares servers, or answers for one. */
static void offer(const struct tools_module *m, struct server *s)
{
	const struct known *k = of_name(m, s->config->name);

	s->offered = is_listed(k) ? &k->entry.seen : NULL;
	s->approved = is_listed(k) ? &k->entry.approved : NULL;
	s->listing = k ? k->listing : NULL;
}

/* Of those that somebody may answer for. */
static bool needs_listing(const struct server *s)
{
	return s->config->on_open != ON_OPEN_REFUSE;
}

/* --- what came of an asking ---------------------------------------------------------------------- */

static void report(struct server *s, const char *change, uint64_t count, const char *by,
		   const char *text)
{
	struct event e;

	bus_event(&e, EVENT_TOOLS, s->config->name);
	e.count = count;
	snprintf(e.error, sizeof(e.error), "%s", change);
	snprintf(e.by, sizeof(e.by), "%s", by);
	snprintf(e.text, sizeof(e.text), "%s", text);
	bus_report(s->d->bus, &e);
}

/* Whoever rates it hears of it at once, and it is on disk afterwards. */
static void tell(struct server *s, struct tools_signal *tools, const struct tools *list)
{
	struct signal signal = { .type = SIGNAL_TOOLS, .server = s, .tools = tools };

	tools_hex(list, tools->digest);
	bus_emit(s->d->bus, &signal);
	bus_pass(s->d->bus);
}

static int approve(struct tools_entry *e, const char *by)
{
	struct tools copy;
	int r = tools_copy(&e->seen, &copy);

	if (r)
		return r;
	tools_done(&e->approved);
	e->approved = copy;
	e->approved_wall_ns = clock_wall_ns();
	snprintf(e->approved_by, sizeof(e->approved_by), "%s", by);
	return 0;
}

static void see(struct tools_entry *e, struct tools_answer *a)
{
	tools_done(&e->seen);
	e->seen = a->tools;
	a->tools = (struct tools){ 0 };
	e->seen_wall_ns = clock_wall_ns();
	snprintf(e->version, sizeof(e->version), "%s", a->version);
}

static const char *shown_version(const char *version)
{
	return *version ? version : "(none)";
}

static int pulled(struct server *s, struct tools_entry *e)
{
	struct tools_signal tools = { 0 };
	struct finding pull;
	char text[STATUS_REASON_LEN];
	char diff[160];
	int r;

	snprintf(text, sizeof(text), "other tools under the same version %.40s: %s",
		 shown_version(e->version),
		 tools_diff_print(&e->approved, &e->seen, diff, sizeof(diff)));
	r = tools_entry_finding(e, text, clock_wall_ns(), &pull);
	if (!r) {
		e->pulled = true;
		tools.pull = &pull;
		report(s, "rug_pull", tools_diff(&e->approved, &e->seen, NULL, 0), "", text);
		tell(s, &tools, &e->seen);
	}
	finding_done(&pull);
	return r;
}

static void renewed(struct server *s, struct tools_entry *e, const char *before, const char *diff)
{
	struct tools_signal tools = { 0 };
	char text[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];

	snprintf(by, sizeof(by), "switchgear: version %.40s after %.40s", shown_version(e->version),
		 shown_version(before));
	if (approve(e, by)) {
		e->pulled = true; /* no memory: shown as not approved, and held against nobody */
		return;
	}
	snprintf(text, sizeof(text), "other tools with version %.40s, which was %.40s: %s",
		 shown_version(e->version), shown_version(before), diff);
	report(s, "new_version", e->seen.n, "", text);
	tell(s, &tools, &e->seen);
}

/* The first list of all. */
static void began(struct server *s, struct tools_entry *e)
{
	struct tools_signal tools = { 0 };

	if (approve(e, "switchgear: seen first")) {
		e->seen_wall_ns = 0;
		return;
	}
	log_info(SUB, "%s: %zu tools of version %s, seen for the first time", s->config->name,
		 e->seen.n, shown_version(e->version));
	tell(s, &tools, &e->seen);
}

static void returned(struct server *s, struct tools_entry *e)
{
	struct tools_signal tools = { 0 };

	report(s, "returned", e->seen.n, "", "its tools are again as they were approved");
	tell(s, &tools, &e->seen);
}

/* Takes over what was listed. */
static void compare(struct tools_module *m, struct server *s, struct tools_entry *e,
		    struct tools_answer *a)
{
	bool first = !e->seen_wall_ns;
	bool same = !first && tools_equal(&e->seen, &a->tools);
	bool newer = strcmp(e->version, a->version) != 0;
	struct tools_signal tools = { 0 };
	char before[TOOLS_VERSION_LEN];
	char diff[120] = "";

	memcpy(before, e->version, sizeof(before));
	if (!same)
		tools_diff_print(&e->seen, &a->tools, diff, sizeof(diff));
	m->dirty |= !same || newer;
	see(e, a);
	if (first)
		began(s, e);
	else if (same && !e->pulled && !tools_equal(&e->seen, &e->approved))
		(void)!pulled(s, e); /* there was no memory for it before */
	else if (same)
		tell(s, &tools, &e->seen); /* of a state that was lost it may be news */
	else if (tools_equal(&e->seen, &e->approved))
		returned(s, e);
	else if (newer)
		renewed(s, e, before, diff);
	else if (pulled(s, e))
		log_error(SUB, "%s: its tools changed, and there is no memory to say how",
			  s->config->name);
}

static void note_why(struct asking *a, const char *why)
{
	if (strcmp(why, a->why) != 0)
		log_info(SUB, "%s: its tools are not known: %s", a->server->config->name, why);
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static struct known *know(struct tools_module *m, const struct server *s)
{
	struct known *k = of_name(m, s->config->name);

	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->entry.place = strdup(s->config->url_shown);
	if (!k->entry.place) {
		free(k);
		return NULL;
	}
	snprintf(k->entry.name, sizeof(k->entry.name), "%s", s->config->name);
	k->configured = true;
	k->next = m->all;
	m->all = k;
	return k;
}

static void take(struct asking *a)
{
	CLEANUP(tools_answer_done) struct tools_answer answer = { 0 };
	int r = buf_error(&a->text);
	struct known *k;

	if (!r)
		r = tools_answer_decode(buf_str(&a->text), a->text.len, &answer);
	if (r) {
		note_why(a, r == -ENOMEM ? strerror(ENOMEM) : "the worker said what is no answer");
		return;
	}
	if (!answer.listed) {
		note_why(a, answer.why);
		return;
	}
	k = know(a->m, a->server);
	if (!k)
		return;
	a->why[0] = '\0';
	if (needs_listing(a->server))
		listing_keep(a->m->store, k->entry.name, &answer.listing, &k->listing);
	offer(a->m, a->server);
	compare(a->m, a->server, &k->entry, &answer);
	offer(a->m, a->server);
}

/* --- asking ---------------------------------------------------------------------------------------- */

/* Spread, so that servers that began together are not asked together for ever. */
static uint64_t next_time(const struct asking *a)
{
	const char *name = a->server->config->name;

	return clock_boot_ns() + a->m->period_ns +
	       a->m->period_ns / 64 * (fnv1a(name, strlen(name)) % 16);
}

static void end(struct asking *a)
{
	if (!a->server)
		return;
	if (a->m->busy[a->slot] == a)
		a->m->busy[a->slot] = NULL;
	work_cancel(TAKE_PTR(a->job));
	probing_disown(a->server, &a->own);
	buf_done(&a->text);
}

static void done(void *owner, int r, UNUSED const void *result)
{
	struct asking *a = owner;

	a->job = NULL;
	if (a->told)
		take(a);
	else
		note_why(a, work_explain(a->m->work[a->slot], r));
	end(a);
	a->next_ns = next_time(a);
}

static int asked(void *owner, uint32_t what, const void *data, size_t len, int fd)
{
	struct asking *a = owner;
	const struct probe_verdict *v = data;

	if (what == PROBE_ASK_LIST && !a->told) {
		buf_append(&a->text, data, len);
		return buf_error(&a->text);
	}
	if (what == PROBE_ASK_VERDICT) {
		if (!probe_verdict_valid(v, len))
			return -EBADMSG;
		a->era = v->era;
		a->told = true;
		return 0;
	}
	if (what != PROBE_ASK_OWN || fd < 0)
		return -EINVAL;
	return probing_own(a->server, fd, &a->own);
}

static int begin(struct asking *a, size_t slot)
{
	const struct server *s = a->server;
	uint64_t timeout_ns = policy_ns(s->config->policy.timeout_seconds);
	struct probe_job job = { .era = a->era,
				 .tools = true,
				 .limit_ns = timeout_ns < LIMIT_NS ? timeout_ns : LIMIT_NS };
	const struct work_order order = { .op = WORKER_PROBE,
					  .data = &job,
					  .data_len = sizeof(job),
					  .ask = asked,
					  .run_ns = job.limit_ns + PROBING_REST_NS,
					  .by_ns = SG_FOREVER,
					  .done = done,
					  .owner = a };
	int r = probing_fill(s, &job);

	if (r)
		return r;
	a->slot = slot;
	a->told = false;
	a->text = BUF(TOOLS_TEXT_MAX);
	r = work_add(a->m->work[slot], &order, &a->job);
	if (!r)
		a->m->busy[slot] = a;
	return r;
}

/* Why it is never asked; NULL: it is. */
static const char *unaskable(const struct tools_module *m, const struct server *s)
{
	const struct config_server *c = s->config;

	if (!m->period_ns)
		return "trust.tools_seconds is 0: nobody is asked";
	if (!c->has_url)
		return "it is not at a URL: who starts it sees its tools, the daemon does not";
	if (!probe_path(c->url_shown))
		return "its URL holds a secret, which is kept nowhere";
	if (server_at_unix(s))
		return "it is at a Unix socket";
	return of(m, s)->proxied ? "it is called through a proxy" : NULL;
}

/* What is denied to agents is not asked either: what was known of it stays. */
static bool is_due(const struct tools_module *m, const struct server *s, uint64_t now)
{
	const struct asking *a = of(m, s);

	return a->server && !s->covered_by && !a->job && now >= a->next_ns && s->n_addrs &&
	       !unaskable(m, s) && !server_quarantined(s) &&
	       (s->breaker.state == SG_CLOSED || s->breaker.state == SG_RAMP);
}

static void look(void *data)
{
	struct tools_module *m = data;
	uint64_t now = clock_boot_ns();
	size_t slot = 0;

	loop_timer_set(m->timer, now + LOOK_NS);
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		int r;

		if (!is_due(m, s, now))
			continue;
		while (slot < AT_ONCE && m->busy[slot])
			slot++;
		if (slot == AT_ONCE)
			return; /* the next time, in the same order */
		r = begin(of(m, s), slot);
		if (!r)
			continue;
		note_why(of(m, s), strerror(-r));
		of(m, s)->next_ns = next_time(of(m, s));
	}
}

/* --- when ------------------------------------------------------------------------------------------ */

static void soon(void *m, const struct server *s)
{
	of(m, s)->next_ns = 0;
}

static void note_way(struct asking *a, const struct sg_event *k)
{
	if (k->source != SG_SOURCE_DAEMON &&
	    (k->outcome == SG_SUCCESS || k->outcome == SG_HARD || k->outcome == SG_SOFT))
		a->proxied = k->proxied != 0;
}

static void tools_signal(void *m, const struct signal *signal)
{
	if (signal->type == SIGNAL_OUTCOME)
		note_way(of(m, signal->server), &signal->kernel);
	else if (signal->type == SIGNAL_RELEASED ||
		 (signal->type == SIGNAL_TRANSITION && signal->kernel.move.to == SG_CLOSED))
		soon(m, signal->server);
}

static void tools_removed(void *m, struct server *s)
{
	struct asking *a = of(m, s);

	end(a);
	*a = (struct asking){ 0 };
}

static int tools_added(void *m, struct server *s, UNUSED const struct server_start *start)
{
	struct asking *a = of(m, s);

	a->m = m;
	a->server = s;
	return 0;
}

static int tools_changed(void *m, struct server *s, unsigned int diff)
{
	if (!(diff & CONFIG_DIFF_ENDPOINTS))
		return 0;
	tools_removed(m, s);
	return tools_added(m, s, NULL);
}

/* --- over restarts ----------------------------------------------------------------------------------- */

static void forget(struct known **at)
{
	struct known *k = *at;

	*at = k->next;
	tools_entry_done(&k->entry);
	free(k->listing);
	free(k);
}

/* One generation of the file; what is damaged is set aside, and that is said. */
static bool load_one(struct tools_module *m, const char *name, struct tools_file *ret)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(buf_done) struct buf why = BUF(512);
	size_t len = 0;
	int r = store_read(m->store, name, TOOLS_FILE_MAX, &text, &len);

	if (r == -ENOENT)
		return false;
	if (!r)
		r = tools_file_decode(text, len, ret, &why);
	if (!r)
		return true;
	store_damaged(m->store, SUB, name, r, buf_str(&why));
	bus_alarm(
		m->part.d->bus, "",
		"%s is damaged: which tools were approved is lost unless the generation before it "
		"has them; what servers offer at their next asking counts as seen first",
		name);
	return false;
}

/* What was approved before counts, and not what has been seen first since. */
static void load(struct tools_module *m)
{
	const char *dir = m->part.d->settings->state_dir;
	CLEANUP(tools_file_done) struct tools_file f = { 0 };
	struct stat st;

	if (m->store)
		return;
	if (stat(dir, &st) || !S_ISDIR(st.st_mode) || store_open_beside(dir, &m->store)) {
		snprintf(m->error, sizeof(m->error),
			 "approved tools cannot be kept in %.100s: after a restart what servers "
			 "offer then would count as seen first; trying again",
			 dir);
		return;
	}
	m->error[0] = '\0';
	if (!load_one(m, TOOLS_FILE, &f) && !load_one(m, TOOLS_FILE ".1", &f))
		return;
	for (size_t i = 0; i < f.n; i++) {
		struct known *k = of_name(m, f.v[i].name);

		if (!k) {
			k = calloc(1, sizeof(*k));
			if (!k)
				return;
			k->next = m->all;
			m->all = k;
		}
		tools_entry_done(&k->entry);
		k->entry = f.v[i];
		f.v[i] = (struct tools_entry){ 0 };
	}
}

static void save(struct tools_module *m)
{
	CLEANUP(buf_done) struct buf out = BUF(TOOLS_FILE_MAX);
	CLEANUP(freep) struct tools_entry *v = NULL;
	struct tools_file f = { 0 };
	size_t n = 0;
	int r;

	m->saved_ns = clock_boot_ns();
	for (const struct known *k = m->all; k; k = k->next)
		n++;
	v = calloc(n + 1, sizeof(*v));
	f.v = v; /* borrowed */
	for (const struct known *k = m->all; v && k; k = k->next)
		if (is_listed(k))
			v[f.n++] = k->entry;
	r = v ? tools_file_encode(&f, &out) : -ENOMEM;
	if (!r)
		r = store_write(m->store, TOOLS_FILE, out.data, out.len);
	m->dirty = r != 0;
	if (r)
		snprintf(m->error, sizeof(m->error),
			 "approved tools cannot be written to %.100s: %s; after a restart what "
			 "servers offer then may count as seen first; trying again",
			 m->part.d->settings->state_dir, strerror(-r));
	else
		m->error[0] = '\0';
}

static int tools_commit(void *data)
{
	struct tools_module *m = data;

	if (!m->store)
		load(m);
	if (m->store && m->dirty &&
	    (!m->error[0] || clock_boot_ns() - m->saved_ns >= SAVE_AGAIN_NS))
		save(m);
	return 0;
}

/* --- configurations ------------------------------------------------------------------------------------ */

/* Who was moved by the operator is another one: what it offers there is seen first. */
static void settle(struct tools_module *m, const struct server *s)
{
	struct known *k = of_name(m, s->config->name);
	struct known **at = &m->all;

	if (!k)
		return;
	k->configured = true;
	if (k->entry.place && s->config->url_shown && !strcmp(k->entry.place, s->config->url_shown))
		return;
	while (*at != k)
		at = &(*at)->next;
	forget(at);
	m->dirty = true;
}

/* Those of servers that are not in the configuration any more are kept, up to a limit. */
static void sort_out(struct tools_module *m)
{
	size_t kept = 0;

	for (struct known *k = m->all; k; k = k->next) {
		kept += !k->configured;
		k->configured = false;
	}
	for (; kept > KEPT_MAX; kept--) {
		struct known **oldest = NULL;

		for (struct known **at = &m->all; *at; at = &(*at)->next)
			if (!servers_by_name(m->part.d->servers, (*at)->entry.name) &&
			    (!oldest || (*at)->entry.seen_wall_ns < (*oldest)->entry.seen_wall_ns))
				oldest = at;
		if (!oldest)
			return;
		forget(oldest);
		m->dirty = true;
	}
}

static void tools_applied(void *data, const struct config *config)
{
	struct tools_module *m = data;

	load(m);
	m->period_ns = policy_ns(config->trust.tools_seconds);
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		settle(m, s);
	sort_out(m);
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		struct known *k = of_name(m, s->config->name);

		if (is_listed(k) && needs_listing(s) && !k->listing)
			k->listing = listing_load(m->store, k->entry.name);
		offer(m, s);
	}
	if (m->period_ns)
		loop_timer_set(m->timer, clock_boot_ns());
	else
		loop_timer_off(m->timer);
}

static int tools_start(void *data)
{
	struct tools_module *m = data;
	int r = loop_timer_new(m->part.d->loop, look, m, &m->timer);

	for (size_t i = 0; i < AT_ONCE && !r; i++)
		r = work_new(m->part.d, &m->work[i]);
	return r;
}

static void tools_stop(void *data)
{
	struct tools_module *m = data;

	if (m->store && m->dirty)
		save(m);
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (m->busy[i])
			end(m->busy[i]); /* its server goes later */
		work_free(m->work[i]);
	}
	loop_timer_free(m->timer);
	store_close(m->store);
	while (m->all)
		forget(&m->all);
}

/* --- what is told of it ---------------------------------------------------------------------------------- */

static int tools_fill(void *data, struct server *s, struct status_server *to)
{
	const struct tools_module *m = data;
	const struct known *k = of_name(m, s->config->name);
	const char *never = unaskable(m, s);
	const char *why = never ? never : of(m, s)->why;

	to->has_tools = true;
	if (!never && !*why && !is_listed(k))
		why = s->n_addrs ? "it has not been asked yet" : "no address of it is known";
	snprintf(to->tools.unknown, sizeof(to->tools.unknown), "%s", why);
	if (!is_listed(k))
		return 0;
	return tools_entry_show(&k->entry, to);
}

static int tools_degraded(void *data, struct status *to)
{
	const struct tools_module *m = data;

	return m->error[0] ? status_degrade(to, m->error) : 0;
}

static void refuse_approval(struct tools_module *m, struct http_request *q, struct server *s)
{
	const char *why = unaskable(m, s);
	char text[2 * TOOLS_WHY_LEN];

	why = why ? why : of(m, s)->why;
	snprintf(text, sizeof(text), "there is no list of its tools to approve: %s",
		 *why ? why : "it has not been asked yet");
	reply_error(q, 409, "no_list", text, "`switchgear show NAME` tells when there is one");
}

/* What was shown is approved, and not what the server says by now: it is asked afterwards. */
static void on_approve(void *data, struct http_request *q, struct server *s)
{
	struct tools_module *m = data;
	struct known *k = of_name(m, s->config->name);
	struct tools_signal tools = { .approved = true };
	struct reply_approve reply = { 0 };
	struct buf out = BUF(REPLY_MAX);
	struct request request;
	char by[STATUS_BY_LEN];
	int r;

	if (!reply_decode(q, REQUEST_APPROVE, &request))
		return;
	if (!is_listed(k)) {
		refuse_approval(m, q, s);
		return;
	}
	reply_who(q, by, sizeof(by));
	reply.tools = (uint32_t)k->entry.seen.n;
	reply.changes = (uint32_t)tools_diff(&k->entry.approved, &k->entry.seen, NULL, 0);
	r = approve(&k->entry, by);
	if (r) {
		reply_failure(q, r, "");
		return;
	}
	k->entry.pulled = false;
	m->dirty = true;
	report(s, "approved", reply.changes, by,
	       *request.reason ? request.reason : "its tools were approved");
	tell(s, &tools, &k->entry.seen);
	soon(m, s);
	snprintf(reply.server, sizeof(reply.server), "%s", s->config->name);
	tools_hex(&k->entry.seen, reply.digest);
	reply_document(q, REPLY_JSON, &out, reply_approve_encode(&reply, &out));
}

static const struct api_route routes[] = {
	{ "POST", "v1/servers/*/approve", API_CHANGE, on_approve },
	{ 0 },
};

const struct module tools_module = {
	.name = SUB,
	.size = sizeof(struct tools_module),
	.server_size = sizeof(struct asking),
	.start = tools_start,
	.stop = tools_stop,
	.server_added = tools_added,
	.server_changed = tools_changed,
	.server_removed = tools_removed,
	.applied = tools_applied,
	.on_signal = tools_signal,
	.commit = tools_commit,
	.degraded = tools_degraded,
	.fill_server = tools_fill,
	.routes = routes,
};
