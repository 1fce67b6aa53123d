/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events as Server-Sent Events, for clients that come back: each has a serial, and who names the
 * last one that he has gets what followed, from memory, else from the history on disk. Each
 * stream has a place in that order and is given what is behind it when it has room, so that a
 * slow reader is not dropped from but falls behind. What is found in neither is told as a gap.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "codec/sse.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "io/history.h"
#include "modules/modules.h"

#define RECENT 512 /* events in memory */
#define STREAMS_MAX 16
#define FRAME_MAX_BYTES 16384U /* room for one event and a gap before it */
#define SCANNED_AT_ONCE 1024U  /* rows of the disk */
#define ALIVE_NS (15 * NS_PER_SEC)
#define RETRY_MS 1000

#define WHY_UNKNOWN "the last event that you have is not known here: others may be missing"
#define WHY_LOST "events are missing: they are no longer in memory, and not on the disk"
#define WHY_FOREIGN "an event of another version of switchgeard cannot be shown to you"
#define WHY_MEMORY "no memory for an event"

struct streams;

struct stream {
	struct streams *all;
	struct http_stream *stream; /* NULL: free */
	char server[SG_NAME_LEN];   /* "": of all */
	int type;                   /* -1: of all */
	enum url_view view;
	uint64_t at;       /* serial: it has had all that it is to have up to here */
	bool known;        /* an event of that serial was seen here, or none can have been missed */
	uint64_t alive_ns; /* when to say that we are still here */
};

struct streams {
	struct part part;
	struct event recent[RECENT];
	uint64_t n; /* events ever put there */
	struct stream v[STREAMS_MAX];
};

/* --- what is in memory -------------------------------------------------------------------- */

static const struct event *recent(const struct streams *m, uint64_t i)
{
	return &m->recent[i % RECENT];
}

static uint64_t oldest_of(const struct streams *m)
{
	return m->n > RECENT ? m->n - RECENT : 0;
}

/* The first one behind a serial; m->n: there is none. */
static uint64_t behind(const struct streams *m, uint64_t serial)
{
	uint64_t i = m->n;

	while (i > oldest_of(m) && recent(m, i - 1)->serial > serial)
		i--;
	return i;
}

static uint64_t newest(const struct streams *m)
{
	return m->n ? recent(m, m->n - 1)->serial : bus_serial(m->part.d->bus);
}

/* --- what is sent --------------------------------------------------------------------------- */

static void push(struct stream *s, struct buf *frame)
{
	if (!buf_error(frame) && frame->len)
		http_stream_push(s->stream, frame->data, frame->len);
	buf_done(frame);
}

static void push_gap(struct stream *s, uint64_t next, const char *why)
{
	struct buf frame = BUF(1024);

	sse_gap(&frame, s->at, next, why);
	push(s, &frame);
}

static void push_event(struct stream *s, uint64_t serial, const char *type, const char *line)
{
	struct buf frame = BUF(FRAME_MAX_BYTES);

	sse_event(&frame, serial, type, line);
	if (buf_error(&frame)) {
		buf_done(&frame);
		push_gap(s, serial, WHY_MEMORY);
		return;
	}
	push(s, &frame);
}

/* Who was denied is for those to know who may change something. */
static bool wanted(const struct stream *s, const char *server, const char *type)
{
	if (s->view != URL_MASKED && !strcmp(type, event_type_name(EVENT_DENIAL)))
		return false;
	return (!s->server[0] || !strcmp(s->server, server)) &&
	       (s->type < 0 || !strcmp(event_type_name((unsigned int)s->type), type));
}

/* Goes on to an event, of which nothing is told but that something may be missing before it. */
static void advance(struct stream *s, uint64_t serial)
{
	bool next = serial == s->at + 1 || (s->known && serial % EVENT_RUN == 0);

	if (!next && s->at)
		push_gap(s, serial, s->known ? WHY_LOST : WHY_UNKNOWN);
	s->at = serial;
	s->known = true;
}

/* As the stream's client may see it. */
static void encode_and_push(struct stream *s, uint64_t serial, const struct event *e)
{
	struct buf line = BUF(FRAME_MAX_BYTES / 2);

	if (event_encode(e, s->view, &line))
		push_gap(s, serial, WHY_MEMORY);
	else
		push_event(s, serial, event_type_name(e->type), buf_str(&line));
	buf_done(&line);
}

static void give(struct stream *s, const struct event *e)
{
	advance(s, e->serial);
	if (wanted(s, e->server, event_type_name(e->type)))
		encode_and_push(s, e->serial, e);
}

/* --- what is on the disk ---------------------------------------------------------------------- */

struct scan {
	struct stream *s;
	uint64_t end; /* from here on it is in memory; 0: nothing is */
	unsigned int rows;
	bool stopped; /* there is no room for more */
};

/* Whoever may see URLs as they are kept gets the line as it is. */
static void give_row(struct stream *s, const struct history_event *row)
{
	struct event e;

	advance(s, row->id);
	if (!wanted(s, row->server, row->type))
		return;
	if (s->view == URL_MASKED)
		push_event(s, row->id, row->type, row->line);
	else if (event_decode(row->line, strlen(row->line), &e))
		push_gap(s, row->id, WHY_FOREIGN);
	else
		encode_and_push(s, row->id, &e);
}

static bool take_row(void *data, const struct history_event *row)
{
	struct scan *scan = data;

	if (scan->end && row->id >= scan->end)
		return false;
	if (http_stream_room(scan->s->stream) < FRAME_MAX_BYTES) {
		scan->stopped = true;
		return false;
	}
	scan->rows++;
	give_row(scan->s, row);
	return true;
}

/* A piece of what is between the stream's place and what is in memory; false when there will be
 * more, later. What is missing then is lost. */
static bool read_disk(struct streams *m, struct stream *s)
{
	struct scan scan = { .s = s, .end = m->n ? recent(m, oldest_of(m))->serial : 0 };
	CLEANUP(history_closep) struct history *db = history_in(m->part.d->settings->state_dir);
	uint64_t to;

	if (db)
		(void)!history_events_after(db, s->at, SCANNED_AT_ONCE, take_row, &scan);
	if (scan.stopped || scan.rows == SCANNED_AT_ONCE)
		return false;
	to = newest(m);
	if (scan.end) {
		s->known |= s->at + 1 == scan.end;
		return true; /* the event itself tells what is missing before it */
	}
	if (!s->known && s->at)
		push_gap(s, 0, WHY_UNKNOWN);
	s->at = to > s->at ? to : s->at;
	s->known = true;
	return true;
}

/* Gives a stream what is behind its place, as long as it has room. */
static void pump(struct streams *m, struct stream *s)
{
	while (s->stream && s->at < newest(m) && http_stream_room(s->stream) >= FRAME_MAX_BYTES) {
		uint64_t i = behind(m, s->at);
		bool joined = i < m->n && (i > oldest_of(m) || recent(m, i)->serial == s->at + 1);

		if (!joined && !read_disk(m, s))
			return;
		if (i < m->n && http_stream_room(s->stream) >= FRAME_MAX_BYTES)
			give(s, recent(m, behind(m, s->at)));
	}
}

/* --- its life ---------------------------------------------------------------------------------- */

static void on_loss(void *data, UNUSED uint64_t lost, struct buf *frame)
{
	const struct stream *s = data;

	sse_gap(frame, s->at, 0, WHY_MEMORY);
}

static void on_gone(void *data)
{
	struct stream *s = data;

	s->stream = NULL;
}

static void on_more(void *data)
{
	struct stream *s = data;

	pump(s->all, s);
}

static const struct http_stream_ops stream_ops = { .loss = on_loss,
						   .gone = on_gone,
						   .more = on_more };

static void streams_publish(void *data, const struct event *events, size_t n)
{
	struct streams *m = data;

	for (size_t i = 0; i < n; i++) {
		if (events[i].type != EVENT_CALL)
			m->recent[m->n++ % RECENT] = events[i];
		/* in pieces, of which none is gone from memory before it is on disk */
		if (i % (RECENT / 2) && i + 1 < n)
			continue;
		for (size_t k = 0; k < STREAMS_MAX; k++)
			pump(m, &m->v[k]);
	}
}

/* Says how far it is: past what the stream's filters left out, too. */
static void keep_alive(struct stream *s, uint64_t now)
{
	struct buf frame = BUF(256);

	s->alive_ns = now + ALIVE_NS;
	if (http_stream_room(s->stream) < FRAME_MAX_BYTES)
		return;
	sse_comment(&frame, "keep-alive");
	if (s->known)
		sse_position(&frame, s->at);
	push(s, &frame);
}

static void streams_turn(void *data, uint64_t now)
{
	struct streams *m = data;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &m->v[i];

		if (!s->stream)
			continue;
		pump(m, s);
		if (s->stream && now >= s->alive_ns)
			keep_alive(s, now);
	}
}

/* --- where it begins ----------------------------------------------------------------------------- */

/* Behind the event with this serial. */
static void begin_after(const struct streams *m, struct stream *s, uint64_t serial)
{
	CLEANUP(history_closep) struct history *db = NULL;
	uint64_t i = behind(m, serial);

	s->at = serial;
	s->known = !serial || serial == newest(m) ||
		   (i > oldest_of(m) && recent(m, i - 1)->serial == serial);
	if (s->known)
		return;
	db = history_in(m->part.d->settings->state_dir);
	if (db && history_has(db, serial, &s->known))
		s->known = false;
}

/* With what happened in the last `ns`. */
static void begin_since(const struct streams *m, struct stream *s, uint64_t ns)
{
	CLEANUP(history_closep) struct history *db = NULL;
	uint64_t boot = clock_boot_ns();
	uint64_t wall = clock_wall_ns();
	uint64_t i = m->n;

	s->known = true;
	while (i > oldest_of(m) && recent(m, i - 1)->t_ns + ns >= boot)
		i--;
	if (i > oldest_of(m)) {
		s->at = recent(m, i - 1)->serial;
		return;
	}
	s->at = i < m->n ? recent(m, i)->serial - 1 : newest(m);
	db = history_in(m->part.d->settings->state_dir);
	if (db && history_newest(db, wall > ns ? wall - ns : 0, &i))
		return;
	if (db)
		s->at = i;
}

/* Where the client wants to begin; answers and returns false if that cannot be understood. */
static bool begin(const struct streams *m, struct http_request *q, struct stream *s)
{
	const char *last = http_header(q, "Last-Event-ID");
	const char *after = last && *last ? last : http_query(q, "after");
	const char *since = http_query(q, "since");
	uint64_t value;

	s->at = newest(m);
	s->known = true;
	if (after) {
		if (parse_u64(after, 0, INT64_MAX, &value)) {
			reply_error(q, 400, "bad_request",
				    last && *last
					    ? "the header Last-Event-ID is no serial of an event"
					    : "\"after\" is no serial of an event",
				    "a whole number, as \"id\" of an event told it");
			return false;
		}
		begin_after(m, s, value);
	} else if (since) {
		if (parse_duration(since, &value)) {
			reply_error(q, 400, "bad_request", "\"since\" is not a valid duration",
				    "90s, 10m, 2h, 1d");
			return false;
		}
		begin_since(m, s, value);
	}
	return true;
}

static bool set_filters(struct http_request *q, struct stream *s)
{
	const char *calls = http_query(q, "calls");
	const char *type = http_query(q, "type");
	const char *server = http_query(q, "server");

	s->type = type ? event_type_from_name(type) : -1;
	if ((type && s->type == EVENT_CALL) ||
	    (calls && strcmp(calls, "0") != 0 && strcmp(calls, "false") != 0)) {
		reply_error(q, 400, "bad_request",
			    "single calls have no serial: no stream has them",
			    "ask for lines of JSON: leave out \"Accept: " SSE_TYPE "\"");
		return false;
	}
	if (type && s->type < 0) {
		reply_error(q, 400, "bad_request", "there is no such type of event",
			    "docs/protocol.md lists them");
		return false;
	}
	if (server && strlen(server) >= sizeof(s->server)) {
		reply_error(q, 400, "bad_request", "\"server\" is too long for a name", "");
		return false;
	}
	snprintf(s->server, sizeof(s->server), "%s", server ? server : "");
	return true;
}

/* The client is told where it begins, so that it can come back before anything happened. */
static void greet(struct stream *s)
{
	struct buf frame = BUF(256);

	sse_retry(&frame, RETRY_MS);
	if (s->known && s->at)
		sse_position(&frame, s->at);
	push(s, &frame);
	s->alive_ns = clock_boot_ns() + ALIVE_NS;
	if (s->at <= newest(s->all))
		return;
	push_gap(s, 0, WHY_UNKNOWN); /* of another daemon's count, or of nobody's */
	s->at = newest(s->all);
	s->known = true;
}

static void on_stream(void *data, struct http_request *q, UNUSED struct server *unused)
{
	struct streams *m = data;
	struct stream want = { .all = m, .view = reply_view(m->part.d, q) };
	struct stream *s = NULL;

	if (!set_filters(q, &want) || !begin(m, q, &want))
		return;
	for (size_t i = 0; i < STREAMS_MAX && !s; i++)
		s = m->v[i].stream ? NULL : &m->v[i];
	if (!s) {
		reply_error(q, 503, "busy", "too many clients follow the events",
			    "end some of them");
		return;
	}
	*s = want;
	if (http_reply_stream(q, SSE_TYPE, &stream_ops, s, &s->stream)) {
		s->stream = NULL;
		return;
	}
	greet(s);
	pump(m, s);
}

static const struct api_route table[] = {
	{ "GET", "v1/events", API_READ, on_stream },
	{ 0 },
};

const struct module streams_module = {
	.name = "streams",
	.size = sizeof(struct streams),
	.turn = streams_turn,
	.publish = streams_publish,
	.streams = table,
};
