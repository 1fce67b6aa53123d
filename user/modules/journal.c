/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is told of what happened: one log line, one entry of the history, and one line
 * to each client that follows, after it is on disk.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "io/history.h"
#include "modules/modules.h"
#include "witness.h"

#define HISTORY_EVENTS 1024
#define HISTORY_CALLS 4096
#define FOLLOWERS_MAX 32
#define RECALLED_MAX 20000 /* events from the disk for one answer: the loop waits meanwhile */
#define REWRITTEN_MAX 2000 /* of these, which are written anew */

struct memory {
	struct event *ring;
	size_t size;
	uint64_t next; /* events ever added */
};

struct follower {
	struct http_stream *stream; /* NULL: free */
	char server[SG_NAME_LEN];
	bool calls;
	enum url_view view;
};

struct journal {
	struct part part;
	struct memory events;
	struct memory calls;
	struct follower followers[FOLLOWERS_MAX];
	struct { /* the latest address that was written down */
		__u8 addr[16];
		__be16 port;
		char address[EVENT_ADDRESS_LEN];
	} last;
};

static int memory_new(struct memory *h, size_t size)
{
	h->ring = calloc(size, sizeof(*h->ring));
	h->size = size;
	return h->ring ? 0 : -ENOMEM;
}

static void memory_add(struct memory *h, const struct event *e)
{
	h->ring[h->next++ % h->size] = *e;
}

static int journal_start(void *m)
{
	struct journal *j = m;
	int r = memory_new(&j->events, HISTORY_EVENTS);

	return r ? r : memory_new(&j->calls, HISTORY_CALLS);
}

static void journal_stop(void *m)
{
	struct journal *j = m;

	free(j->events.ring);
	free(j->calls.ring);
}

/* --- calls --------------------------------------------------------------------------------- */

/* Where the call went; mostly where the last one did, which is written already. */
static void call_address(struct journal *j, const struct sg_event *k, struct event *e)
{
	struct addr peer;

	e->address[0] = '\0';
	if (!k->port)
		return;
	if (k->port != j->last.port || memcmp(k->addr, j->last.addr, sizeof(k->addr)) != 0) {
		memcpy(peer.bytes, k->addr, sizeof(peer.bytes));
		format_addr_port(j->last.address, sizeof(j->last.address), &peer, ntohs(k->port));
		memcpy(j->last.addr, k->addr, sizeof(k->addr));
		j->last.port = k->port;
	}
	memcpy(e->address, j->last.address, sizeof(e->address));
}

/* Who called, and where, as far as the kernel saw it. */
static void call_whose(struct journal *j, const struct sg_event *k, struct event *e)
{
	e->by[0] = '\0';
	if (k->source == SG_SOURCE_DAEMON)
		snprintf(e->by, sizeof(e->by), "switchgear");
	call_address(j, k, e);
	e->pid = k->pid;
	memcpy(e->comm, k->comm, sizeof(e->comm));
	e->comm[sizeof(e->comm) - 1] = '\0';
	e->text[0] = '\0';
	if (k->cgroup)
		dataplane_cgroup_name(j->part.d->dp, k->cgroup, e->text, sizeof(e->text));
}

/* Sets what an event of a call has, and leaves the rest. */
static void call_event(struct journal *j, const struct signal *signal, struct event *e)
{
	const struct sg_event *k = &signal->kernel;

	e->type = EVENT_CALL;
	memcpy(e->server, signal->server->config->name, sizeof(e->server));
	e->tool[0] = '\0';
	e->t_ns = k->t_ns;
	e->wall_ns = clock_boot_to_wall_ns(k->t_ns);
	e->outcome = (enum sg_class)k->outcome;
	e->cause = (enum sg_cause)k->cause;
	e->latency_ns = k->latency_ns;
	e->retry_after_ns = k->retry_after_ns;
	e->status = k->status;
	e->corrected = k->flags & SG_OUT_LATE;
	e->estimate = k->flags & SG_OUT_ESTIMATE;
	call_whose(j, k, e);
}

static bool calls_are_followed(const struct journal *j)
{
	for (size_t k = 0; k < FOLLOWERS_MAX; k++)
		if (j->followers[k].stream && j->followers[k].calls)
			return true;
	return false;
}

/* Of the thousands that there are in a second nobody is told but who asks later: they are written
 * where they stay. Followers get theirs in order with all that happens. */
static void journal_signal(void *m, const struct signal *signal)
{
	struct journal *j = m;
	struct event e;

	if (signal->type == SIGNAL_DENIAL) {
		bus_event(&e, EVENT_DENIAL, signal->server->config->name);
		call_whose(j, &signal->kernel, &e);
		bus_report(j->part.d->bus, &e);
		return;
	}
	if (signal->type != SIGNAL_OUTCOME)
		return;
	if (!calls_are_followed(j)) {
		call_event(j, signal, &j->calls.ring[j->calls.next++ % j->calls.size]);
		return;
	}
	event_init(&e, EVENT_CALL);
	call_event(j, signal, &e);
	bus_report(j->part.d->bus, &e);
}

/* --- the log --------------------------------------------------------------------------------- */

static void log_transition(const struct event *e)
{
	char length[48] = "";

	if (e->to == SG_OPEN || (e->to >= SG_FORCED_OPEN && e->open_ns)) {
		char text[32];

		snprintf(length, sizeof(length), ", for %s",
			 e->open_ns == STATUS_NEVER
				 ? "good"
				 : format_duration(text, sizeof(text), e->open_ns));
	}
	log_notice("breaker", "%s: %s -> %s (%s)%s%s%s%s%s", e->server, state_name(e->from),
		   state_name(e->to), reason_name(e->reason), length, e->by[0] ? ", by " : "",
		   e->by, e->text[0] ? ": " : "", e->text);
}

/* Survivors are somebody's business now, and so are those that nobody could count. */
static void log_quarantine(const struct event *e)
{
	char survivors[160];

	log_line(e->survivors ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE, "quarantine",
		 "%s: quarantined by %s: %s (%u connections killed, %s)%s", e->server, e->by,
		 e->text, e->killed,
		 status_survivors(survivors, sizeof(survivors), e->survivors, e->error),
		 !e->survivors ? ""
		 : !strcmp(e->error, STATUS_UNIX_UNCOUNTED)
			 ? "; restart it, or its agents"
			 : "; quarantine it again, or restart its agents");
}

static void log_kill(const struct event *e)
{
	char survivors[160];

	if (e->survivors) /* an alarm follows */
		log_warning("breaker", "%s: %u connections killed, %s", e->server, e->killed,
			    status_survivors(survivors, sizeof(survivors), e->survivors, e->error));
	else
		log_info("breaker", "%s: %u connections killed, %u busy ones follow", e->server,
			 e->killed, e->busy);
}

static void log_event(const struct event *e)
{
	switch (e->type) {
	case EVENT_TRANSITION:
		log_transition(e);
		break;
	case EVENT_QUARANTINE:
		log_quarantine(e);
		break;
	case EVENT_RELEASE:
		log_notice("quarantine", "%s: released by %s%s%s", e->server, e->by,
			   e->text[0] ? ": " : "", e->text);
		break;
	case EVENT_RESET:
		log_notice("breaker", "%s: history forgotten, by %s%s%s", e->server, e->by,
			   e->text[0] ? ": " : "", e->text);
		break;
	case EVENT_KILL:
		log_kill(e);
		break;
	case EVENT_ALARM:
		log_error("breaker", "%s%s%s", e->server, e->server[0] ? ": " : "", e->text);
		break;
	case EVENT_LOSS:
		log_warning("events",
			    "%llu events were lost: the ring was full; counters and verdicts "
			    "are right, windows and history miss them",
			    (unsigned long long)e->count);
		break;
	case EVENT_FALLBACK:
		log_notice("fallback", "%s: %s", e->server, e->text);
		break;
	case EVENT_ISOLATION:
		log_notice("isolate", "%s: %s%s%s%s%s", e->server, e->error,
			   *e->cgroup ? ", cgroup " : "", e->cgroup, *e->detail ? ": " : "",
			   e->detail);
		break;
	case EVENT_CAPTURE:
		log_notice("capture", "%s: refused packets are read by %s", e->server, e->by);
		break;
	case EVENT_BYPASS:
		log_warning("bypass", "%s, by %s%s%s",
			    e->ok ? "NOTHING IS REFUSED from now on"
				  : "what is denied is refused again",
			    e->by, *e->text ? ": " : "", e->text);
		break;
	case EVENT_TOOLS:
		log_notice("tools", "%s: %s%s%s", e->server, e->text, *e->by ? ", by " : "", e->by);
		break;
	default:
		break;
	}
}

/* --- followers ------------------------------------------------------------------------------------ */

/* Who was denied is for those to know who may change something. */
static bool follows(const struct follower *f, const struct event *e)
{
	return (e->type != EVENT_CALL || f->calls) &&
	       (e->type != EVENT_DENIAL || f->view == URL_MASKED) &&
	       (!f->server[0] || !strcmp(f->server, e->server));
}

static void on_loss(UNUSED void *data, uint64_t lost, struct buf *line)
{
	struct event e;

	bus_event(&e, EVENT_LOSS, "");
	e.count = lost;
	if (!event_encode(&e, URL_MASKED, line))
		buf_putc(line, '\n');
}

static void on_gone(void *data)
{
	struct follower *f = data;

	f->stream = NULL;
}

static const struct http_stream_ops stream_ops = { .loss = on_loss, .gone = on_gone };

static void push(struct follower *f, const struct event *e)
{
	struct buf line = BUF(8192);

	if (!event_encode(e, f->view, &line)) {
		buf_putc(&line, '\n');
		http_stream_push(f->stream, line.data, line.len);
	}
	buf_done(&line);
}

static void journal_publish(void *m, const struct event *events, size_t n)
{
	struct journal *j = m;

	for (size_t i = 0; i < n; i++) {
		const struct event *e = &events[i];

		log_event(e);
		memory_add(e->type == EVENT_CALL ? &j->calls : &j->events, e);
		for (size_t k = 0; k < FOLLOWERS_MAX; k++)
			if (j->followers[k].stream && follows(&j->followers[k], e))
				push(&j->followers[k], e);
	}
}

/* --- history on request ------------------------------------------------------------------------------ */

/* Oldest first, both histories merged by time. */
static void replay(const struct journal *j, struct buf *out, const struct follower *f,
		   uint64_t from_ns)
{
	const struct memory *h[] = { &j->events, &j->calls };
	uint64_t at[2];

	for (size_t i = 0; i < 2; i++)
		at[i] = h[i]->next > h[i]->size ? h[i]->next - h[i]->size : 0;
	while (at[0] < h[0]->next || at[1] < h[1]->next) {
		const struct event *a = at[0] < h[0]->next ? &h[0]->ring[at[0] % h[0]->size] : NULL;
		const struct event *b = at[1] < h[1]->next ? &h[1]->ring[at[1] % h[1]->size] : NULL;
		bool first = a && (!b || a->t_ns < b->t_ns);
		const struct event *e = first ? a : b;

		at[first ? 0 : 1]++;
		if (e->t_ns < from_ns || !follows(f, e))
			continue;
		if (event_encode(e, f->view, out))
			return;
		buf_putc(out, '\n');
	}
}

/* Wall time of the oldest event in memory; UINT64_MAX: there is none. */
static uint64_t remembered_from(const struct journal *j)
{
	const struct memory *h = &j->events;

	if (!h->next)
		return UINT64_MAX;
	return h->ring[h->next > h->size ? h->next % h->size : 0].wall_ns;
}

struct recalling {
	struct buf *out;
	const struct follower *who;
	size_t n;
	bool more; /* than fits */
};

/* Whoever may see URLs as they are kept gets the line as it is. */
static bool recall_one(void *data, const struct history_event *line)
{
	struct recalling *r = data;
	struct event e;

	r->more = ++r->n > (r->who->view == URL_MASKED ? RECALLED_MAX : REWRITTEN_MAX);
	if (r->more)
		return false;
	if (r->who->view == URL_MASKED) {
		buf_puts(r->out, line->line);
	} else if (event_decode(line->line, strlen(line->line), &e) || !follows(r->who, &e) ||
		   event_encode(&e, r->who->view, r->out)) {
		return true; /* of a later version, or too long: left out */
	}
	buf_putc(r->out, '\n');
	return !buf_error(r->out);
}

/* What is older than what is in memory, from the disk, if it is kept there. -EMSGSIZE. */
static int recall(const struct journal *j, struct buf *out, const struct follower *f,
		  uint64_t from_wall_ns)
{
	struct recalling r = { .out = out, .who = f };
	uint64_t to = remembered_from(j);
	CLEANUP(history_closep) struct history *db = NULL;

	if (from_wall_ns < to)
		db = history_in(j->part.d->settings->state_dir);
	if (!db)
		return 0; /* what is in memory is what there is */
	(void)!history_events(db, *f->server ? f->server : NULL, from_wall_ns, to, recall_one, &r);
	return r.more ? -EMSGSIZE : buf_error(out);
}

static struct follower *follower_free(struct journal *j)
{
	for (size_t i = 0; i < FOLLOWERS_MAX; i++)
		if (!j->followers[i].stream)
			return &j->followers[i];
	return NULL;
}

static bool flag(const struct http_request *q, const char *key)
{
	const char *value = http_query(q, key);

	return value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}

/* From where history is told: since, or all that is in memory unless it is followed. Of the disk
 * only what is asked for: *ret_wall is UINT64_MAX without since. */
static int since(const struct http_request *q, bool follow, uint64_t *ret_from, uint64_t *ret_wall)
{
	const char *text = http_query(q, "since");
	uint64_t now = clock_boot_ns();
	uint64_t ns;

	*ret_from = follow ? now : 0;
	*ret_wall = UINT64_MAX;
	if (!text)
		return 0;
	if (parse_duration(text, &ns))
		return -EINVAL;
	*ret_from = now > ns ? now - ns : 0;
	now = clock_wall_ns();
	*ret_wall = now > ns ? now - ns : 0;
	return 0;
}

static void follow_on(struct journal *j, struct http_request *q, const struct follower *want,
		      const struct buf *so_far)
{
	struct follower *f = follower_free(j);

	if (!f) {
		reply_error(q, 503, "busy", "too many clients follow the events",
			    "end some of them");
		return;
	}
	*f = *want;
	if (http_reply_stream(q, REPLY_LINES, &stream_ops, f, &f->stream))
		f->stream = NULL;
	else if (so_far->len)
		http_stream_push(f->stream, so_far->data, so_far->len);
}

static void on_events(void *m, struct http_request *q, UNUSED struct server *s)
{
	struct journal *j = m;
	const char *server = http_query(q, "server");
	struct follower want = { .calls = flag(q, "calls"), .view = reply_view(j->part.d, q) };
	bool follow = flag(q, "follow");
	uint64_t from;
	uint64_t wall;
	struct buf out = BUF(REPLY_MAX);
	int r;

	if (want.calls && !reply_may(j->part.d, q, API_CHANGE)) {
		reply_error(q, 403, "not_permitted",
			    "single calls are for root and the configured group",
			    "use sudo, or leave out --calls");
		return;
	}
	if (since(q, follow, &from, &wall)) {
		reply_error(q, 400, "bad_request", "\"since\" is not a valid duration",
			    "90s, 10m, 2h, 1d");
		return;
	}
	snprintf(want.server, sizeof(want.server), "%s", server ? server : "");
	r = recall(j, &out, &want, wall);
	if (r) {
		buf_done(&out);
		reply_error(q, 413, "too_large", "more happened in that time than fits an answer",
			    "ask for a shorter time, or for one server");
		return;
	}
	replay(j, &out, &want, from);
	if (!follow) {
		reply_document(q, REPLY_LINES, &out, 0);
		return;
	}
	follow_on(j, q, &want, &out);
	buf_done(&out);
}

static const struct api_route routes[] = {
	{ "GET", "v1/events", API_READ, on_events },
	{ 0 },
};

const struct module journal_module = {
	.name = "journal",
	.size = sizeof(struct journal),
	.start = journal_start,
	.stop = journal_stop,
	.on_signal = journal_signal,
	.publish = journal_publish,
	.routes = routes,
};
