/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Prometheus metrics: what the kernel counts, and this host; every module adds its
 * own. Over the API, and over TCP, where nothing else is.
 */
#include "core/metrics.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "core/counters.h"
#include "daemon/bus.h"
#include "daemon/listener.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "modules/modules.h"

#define SUB "metrics"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct exporter {
	struct part part;
	struct listener *listener; /* NULL: off */
};

struct family {
	const char *name;
	const char *help;
	const char *label; /* NULL: none but the server */
};

static const struct family families[COUNTER_FAMILY_COUNT] = {
	[COUNTER_CONNECTS] = { "switchgear_connects_total", "Connects that were let through." },
	[COUNTER_CONNECT_FAILURES] = { "switchgear_connect_failures_total",
				       "Connects that failed, by reason.", "reason" },
	[COUNTER_REQUESTS] = { "switchgear_requests_total",
			       "Requests seen on tracked connections." },
	[COUNTER_RESPONSES] = { "switchgear_responses_total", "HTTP answers, by class.", "class" },
	[COUNTER_REQUEST_FAILURES] = { "switchgear_request_failures_total",
				       "Requests without a good answer, by reason.", "reason" },
	[COUNTER_OUTCOMES] = { "switchgear_outcomes_total",
			       "Calls that ended, by what they mean to the breaker.", "outcome" },
	[COUNTER_TLS] = { "switchgear_tls_handshakes_total",
			  "TLS handshakes of agents, by how they ended.", "result" },
	[COUNTER_DENIED] = { "switchgear_denied_total",
			     "Connects and requests that were refused." },
	[COUNTER_WOULD_DENY] = { "switchgear_would_deny_total",
				 "What observe mode or shadow would have refused." },
	[COUNTER_PASSED_OPEN] = { "switchgear_passed_open_total",
				  "Requests that passed an open breaker, since nobody could have killed them." },
	[COUNTER_OVERFLOW] = { "switchgear_overflow_total", "Trips that a limit forbade." },
	[COUNTER_KILLED] = { "switchgear_killed_connections_total",
			     "Live connections that were ended." },
	[COUNTER_DROPPED_PACKETS] = { "switchgear_dropped_packets_total",
				      "Packets dropped in quarantine." },
	[COUNTER_RETRANSMITS] = { "switchgear_retransmits_total", "TCP segments sent again." },
	[COUNTER_UNTRUSTED] = { "switchgear_untrusted_connects_total",
				"Connects from users' own namespaces, or to other addresses of this "
				"host, from which nothing is learned." },
	[COUNTER_UNRECORDED] = { "switchgear_unrecorded_connects_total",
				 "Connects of which no record could be made: judged, but not measured." },
	[COUNTER_UNFRAMED] = { "switchgear_unframed_answers_total",
			       "Answers whose chunks could not be followed to their end." },
};

/* The samples of one family for one server. */
static void samples(struct metrics *to, size_t family, const char *server,
		    const struct sg_stats *stats)
{
	struct metrics_label labels[2] = { { "server", server }, { families[family].label, NULL } };

	for (const struct counter *c = counters; c->value; c++) {
		if (c->family != family)
			continue;
		labels[1].value = c->value;
		metrics_u64(to, labels, families[family].label ? 2 : 1, counter_get(c, stats));
	}
}

static void counted(struct servers *all, struct metrics *to, const struct sg_stats *stats)
{
	for (size_t f = COUNTER_NONE + 1; f < COUNTER_FAMILY_COUNT; f++) {
		metrics_family(to, families[f].name, METRICS_COUNTER, families[f].help);
		for (const struct server *s = servers_first(all); s; s = s->next)
			if (server_watched(s))
				samples(to, f, s->config->name, &stats[s->index]);
	}
}

static void rtt(struct servers *all, struct metrics *to, const struct sg_stats *stats)
{
	metrics_family(to, "switchgear_rtt_seconds_mean", METRICS_GAUGE,
		       "Mean smoothed round-trip time of connections at their end.");
	for (const struct server *s = servers_first(all); s; s = s->next) {
		const struct metrics_label label = { "server", s->config->name };
		const struct sg_stats *st = &stats[s->index];

		if (server_watched(s) && st->rtt_count)
			metrics_double(to, &label, 1,
				       (double)st->rtt_us_sum / (double)st->rtt_count / 1e6);
	}
}

static void latencies(const struct daemon *d, struct metrics *to)
{
	static const struct {
		enum sg_metric metric;
		const char *name;
		const char *help;
	} rows[] = {
		{ SG_METRIC_CONNECT, "switchgear_connect_duration_seconds",
		  "From connect() to the established connection." },
		{ SG_METRIC_TLS, "switchgear_tls_handshake_duration_seconds",
		  "From the established connection to the end of its TLS handshake." },
		{ SG_METRIC_FIRST_BYTE, "switchgear_first_byte_duration_seconds",
		  "From the request's first byte to the answer's first byte." },
		{ SG_METRIC_ANSWER, "mcp_client_operation_duration_seconds",
		  "From the request's first byte to the answer's last byte." },
	};

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		metrics_family(to, rows[k].name, METRICS_HISTOGRAM, rows[k].help);
		for (const struct server *s = servers_first(d->servers); s; s = s->next) {
			const struct metrics_label label = { "server", s->config->name };
			struct sg_hist h;

			if (server_watched(s) && !dataplane_hist(d->dp, s->id, rows[k].metric, &h))
				metrics_hist(to, &label, 1, &h);
		}
	}
}

static size_t degraded(struct daemon *d)
{
	struct status s = { 0 };
	size_t n;

	(void)!modules_degraded(bus_modules(d->bus), &s);
	n = s.n_degraded;
	status_done(&s);
	return n;
}

static void host(struct daemon *d, struct metrics *m)
{
	struct dataplane_program programs[DATAPLANE_PROGRAMS_MAX];
	struct dataplane_fill fill[8];
	size_t n = dataplane_programs(d->dp, programs, ARRAY_SIZE(programs));
	size_t maps = dataplane_fill(d->dp, fill, ARRAY_SIZE(fill));
	const struct metrics_label version = { "version", SWITCHGEAR_VERSION };

	metrics_family(m, "switchgear_build_info", METRICS_GAUGE, "Always 1.");
	metrics_u64(m, &version, 1, 1);
	metrics_family(m, "switchgear_observe_mode", METRICS_GAUGE, "1: nothing is refused.");
	metrics_u64(m, NULL, 0, dataplane_observes(d->dp));
	metrics_family(m, "switchgear_degraded", METRICS_GAUGE,
		       "Things that this host or its configuration keep from working.");
	metrics_u64(m, NULL, 0, degraded(d));
	metrics_family(m, "switchgear_events_lost_total", METRICS_COUNTER,
		       "Events that found the ring full.");
	metrics_u64(m, NULL, 0, dataplane_lost(d->dp));
	metrics_family(m, "switchgear_map_entries", METRICS_GAUGE, "Entries in use.");
	for (size_t i = 0; i < maps; i++)
		metrics_u64(m, &(struct metrics_label){ "map", fill[i].map }, 1, fill[i].used);
	metrics_family(m, "switchgear_map_max_entries", METRICS_GAUGE, "Entries that fit.");
	for (size_t i = 0; i < maps; i++)
		metrics_u64(m, &(struct metrics_label){ "map", fill[i].map }, 1, fill[i].max);
	metrics_family(m, "switchgear_program_runs_total", METRICS_COUNTER,
		       "Runs of BPF programs while kernel.bpf_stats_enabled is 1.");
	for (size_t i = 0; i < n; i++)
		metrics_u64(m, &(struct metrics_label){ "program", programs[i].name }, 1,
			    programs[i].run_count);
	metrics_family(m, "switchgear_program_run_seconds_total", METRICS_COUNTER,
		       "Time spent in BPF programs while kernel.bpf_stats_enabled is 1.");
	for (size_t i = 0; i < n; i++)
		metrics_double(m, &(struct metrics_label){ "program", programs[i].name }, 1,
			       (double)programs[i].run_ns / 1e9);
}

static int exporter_write(struct exporter *e, struct buf *out)
{
	struct daemon *d = e->part.d;
	struct servers *all = d->servers;
	CLEANUP(freep) struct sg_stats *stats = calloc(servers_n(all) + 1, sizeof(*stats));
	struct metrics m;

	if (!stats)
		return -ENOMEM;
	for (const struct server *s = servers_first(all); s; s = s->next)
		if (server_watched(s))
			(void)!dataplane_stats(d->dp, s->id, &stats[s->index]);
	metrics_init(&m, out);
	host(d, &m);
	MODULES_EACH(bus_modules(d->bus), write_metrics, &m);
	counted(all, &m, stats);
	rtt(all, &m, stats);
	latencies(d, &m);
	return buf_error(out);
}

static void on_metrics(void *m, struct http_request *q, UNUSED struct server *s)
{
	struct buf out = BUF(REPLY_MAX);

	reply_document(q, METRICS_TYPE, &out, exporter_write(m, &out));
}

/* --- over TCP ---------------------------------------------------------------------------------- */

static void on_scrape(void *data, struct http_request *q)
{
	if (q->segments == 1 && !strcmp(q->segment[0], "metrics") && !strcmp(q->method, "GET"))
		on_metrics(data, q, NULL);
	else
		reply_error(q, 404, "not_found", "only /metrics is here", "");
}

static int exporter_start(void *m)
{
	struct exporter *e = m;
	const struct settings *s = e->part.d->settings;
	const struct http_options o = { .address = &s->metrics_addr,
					.port = s->metrics_port,
					.handler = on_scrape,
					.data = e };

	return s->metrics_off ? 0 : listener_new(e->part.d->loop, &o, "metrics", &e->listener);
}

static void exporter_stop(void *m)
{
	struct exporter *e = m;

	listener_free(e->listener, 0);
}

static int exporter_degraded(void *m, struct status *to)
{
	const struct exporter *e = m;

	return listener_degraded(e->listener, to);
}

static const struct api_route routes[] = {
	{ "GET", "metrics", API_READ, on_metrics },
	{ 0 },
};

const struct module exporter_module = {
	.name = SUB,
	.size = sizeof(struct exporter),
	.start = exporter_start,
	.stop = exporter_stop,
	.degraded = exporter_degraded,
	.routes = routes,
};
