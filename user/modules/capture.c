/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Refused packets that the kernel kept the beginnings of: read ten times a second into a place of
 * fixed size, so that the latest are there for whoever comes, and given to whoever follows. Nothing
 * is on disk: it is foreign content.
 */
#include <string.h>

#include "base/clock.h"
#include "codec/pcapng.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "isolation.h"
#include "modules/modules.h"

#define SUB "capture"
#define KEPT 512 /* packets, of all servers */
#define FOLLOWERS_MAX 8
#define COMMENT_MAX 256

struct capture;

struct follower {
	struct capture *m;
	struct http_stream *stream; /* NULL: free */
	uint32_t server;
};

struct capture {
	struct part part;
	struct sg_captured kept[KEPT];
	uint64_t n; /* ever put there */
	struct follower followers[FOLLOWERS_MAX];
};

/* --- as pcapng -------------------------------------------------------------------------------- */

static const char *const by_whom[SG_CAPTURE_BY_COUNT] = {
	[SG_CAPTURE_QUARANTINE] = "dropped: the server is in quarantine",
	[SG_CAPTURE_XDP] = "dropped by XDP: the server is in quarantine",
	[SG_CAPTURE_ISOLATION] = "dropped: the server's processes are isolated",
	[SG_CAPTURE_BREAKER] = "dropped: the server's breaker is open",
};

static void describe(const struct sg_captured *p, const char *server, char *out, size_t size)
{
	int n = snprintf(out, size, "%s: %s, %s", server,
			 p->by < SG_CAPTURE_BY_COUNT ? by_whom[p->by] : "dropped",
			 p->out ? "leaving" : "coming");

	if (p->skipped && n > 0 && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, "; %u before it were not kept", p->skipped);
}

static void encode(const struct sg_captured *p, const char *server, struct buf *out)
{
	char comment[COMMENT_MAX];
	uint32_t have = p->have < SG_CAPTURE_BYTES ? p->have : SG_CAPTURE_BYTES;
	struct pcapng_packet packet = { .wall_ns = clock_boot_to_wall_ns(p->t_ns),
					.data = p->data,
					.have = have < p->len ? have : p->len,
					.len = p->len,
					.out = p->out,
					.comment = comment };

	describe(p, server, comment, sizeof(comment));
	pcapng_packet(out, &packet);
}

static void begin(struct buf *out)
{
	pcapng_begin(out, "switchgear " SWITCHGEAR_VERSION, "refused", SG_CAPTURE_BYTES);
}

static uint64_t oldest(const struct capture *m)
{
	return m->n > KEPT ? m->n - KEPT : 0;
}

static void encode_kept(const struct capture *m, const struct server *s, struct buf *out)
{
	begin(out);
	for (uint64_t i = oldest(m); i < m->n; i++)
		if (m->kept[i % KEPT].server == s->id)
			encode(&m->kept[i % KEPT], s->config->name, out);
}

/* --- who follows -------------------------------------------------------------------------------- */

static void on_loss(UNUSED void *data, uint64_t lost, struct buf *line)
{
	pcapng_lost(line, clock_wall_ns(), lost);
}

static void on_gone(void *data)
{
	struct follower *f = data;

	f->stream = NULL;
}

static const struct http_stream_ops stream_ops = { .loss = on_loss, .gone = on_gone };

static void give(struct capture *m, const struct sg_captured *p)
{
	const struct server *s = servers_by_id(m->part.d->servers, p->server);

	for (size_t i = 0; i < FOLLOWERS_MAX && s; i++) {
		struct follower *f = &m->followers[i];
		struct buf out = BUF(PCAPNG_BLOCK_MAX);

		if (!f->stream || f->server != p->server)
			continue;
		encode(p, s->config->name, &out);
		if (!buf_error(&out))
			http_stream_push(f->stream, out.data, out.len);
		buf_done(&out);
	}
}

static void on_packet(void *data, const struct sg_captured *p)
{
	struct capture *m = data;

	if (!servers_by_id(m->part.d->servers, p->server)) /* the canary */
		return;
	m->kept[m->n++ % KEPT] = *p;
	give(m, p);
}

static void capture_signal(void *m, UNUSED const struct signal *signal)
{
	struct capture *capture = m;

	(void)!dataplane_captures_read(capture->part.d->dp, on_packet, capture);
}

static void follow(struct capture *m, struct http_request *q, const struct server *s,
		   const struct buf *so_far)
{
	struct follower *f = NULL;

	for (size_t i = 0; i < FOLLOWERS_MAX && !f; i++)
		f = m->followers[i].stream ? NULL : &m->followers[i];
	if (!f) {
		reply_error(q, 503, "busy", "too many clients follow refused packets",
			    "end some of them");
		return;
	}
	*f = (struct follower){ .m = m, .server = s->id };
	if (http_reply_stream(q, PCAPNG_TYPE, &stream_ops, f, &f->stream))
		f->stream = NULL;
	else
		http_stream_push(f->stream, so_far->data, so_far->len);
}

/* Who reads what others sent is on record. */
static void tell(struct capture *m, const struct http_request *q, const struct server *s)
{
	struct event e;

	bus_event(&e, EVENT_CAPTURE, s->config->name);
	reply_who(q, e.by, sizeof(e.by));
	bus_report(m->part.d->bus, &e);
}

static void on_capture(void *data, struct http_request *q, UNUSED struct server *unused)
{
	struct capture *m = data;
	const char *name = http_query(q, "server");
	const char *want = http_query(q, "follow");
	struct server *s = name ? servers_by_name(m->part.d->servers, name) : NULL;
	struct buf out = BUF(REPLY_MAX);

	if (!reply_may(m->part.d, q, API_CHANGE)) {
		reply_error(q, 403, "not_permitted",
			    "what packets hold is for root and the configured group", "use sudo");
		return;
	}
	if (!s) {
		reply_error(q, 404, "not_found", "\"server\" names no server",
			    "`switchgear status` lists them");
		return;
	}
	s = s->covered_by ? s->covered_by : s;
	capture_signal(m, NULL);
	encode_kept(m, s, &out);
	tell(m, q, s);
	if (want && strcmp(want, "0") != 0 && !buf_error(&out))
		follow(m, q, s, &out);
	else
		http_reply(q, 200, PCAPNG_TYPE, buf_str(&out), out.len);
	buf_done(&out);
	bus_pass(m->part.d->bus);
}

/* The id may be another server's next. */
static void capture_forgotten(void *m, uint32_t id)
{
	struct capture *capture = m;

	for (size_t i = 0; i < KEPT; i++)
		if (capture->kept[i].server == id)
			capture->kept[i].server = SG_SERVERS_MAX;
	for (size_t i = 0; i < FOLLOWERS_MAX; i++)
		if (capture->followers[i].server == id)
			capture->followers[i].server = SG_SERVERS_MAX;
}

static const struct api_route routes[] = {
	{ "GET", "v1/capture", API_CHANGE, on_capture },
	{ 0 },
};

const struct module capture_module = {
	.name = SUB,
	.size = sizeof(struct capture),
	.id_forgotten = capture_forgotten,
	.on_signal = capture_signal,
	.routes = routes,
};
