/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prometheus metrics: families in the outer loop, servers in the inner one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/counters.h"
#include "core/metrics.h"
#include "daemon/app.h"

struct family {
	const char *name;
	const char *help;
	const char *label; /* NULL: none but the server */
};

static const struct family families[COUNTER_FAMILY_COUNT] = {
	[COUNTER_CONNECTS] = { "switchgear_connects_total", "Connects that were let through.",
			       NULL },
	[COUNTER_CONNECT_FAILURES] = { "switchgear_connect_failures_total",
				       "Connects that failed, by reason.", "reason" },
	[COUNTER_REQUESTS] = { "switchgear_requests_total", "Requests seen on tracked connections.",
			       NULL },
	[COUNTER_RESPONSES] = { "switchgear_responses_total", "HTTP answers, by class.", "class" },
	[COUNTER_REQUEST_FAILURES] = { "switchgear_request_failures_total",
				       "Requests without a good answer, by reason.", "reason" },
	[COUNTER_OUTCOMES] = { "switchgear_outcomes_total",
			       "Calls that ended, by what they mean to the breaker.", "outcome" },
	[COUNTER_DENIED] = { "switchgear_denied_total", "Connects and requests that were refused.",
			     NULL },
	[COUNTER_WOULD_DENY] = { "switchgear_would_deny_total",
				 "What observe mode or shadow would have refused.", NULL },
	[COUNTER_PASSED_OPEN] = { "switchgear_passed_open_total",
				  "Requests that passed an open breaker, since nobody could have killed them.",
				  NULL },
	[COUNTER_OVERFLOW] = { "switchgear_overflow_total", "Trips that a limit forbade.", NULL },
	[COUNTER_KILLED] = { "switchgear_killed_connections_total",
			     "Live connections that were ended.", NULL },
	[COUNTER_DROPPED_PACKETS] = { "switchgear_dropped_packets_total",
				      "Packets dropped in quarantine.", NULL },
	[COUNTER_RETRANSMITS] = { "switchgear_retransmits_total", "TCP segments sent again.",
				  NULL },
	[COUNTER_UNTRUSTED] = { "switchgear_untrusted_connects_total",
				"Connects from users' own namespaces, from which nothing is learnt.",
				NULL },
	[COUNTER_UNRECORDED] = { "switchgear_unrecorded_connects_total",
				 "Connects of which no record could be made: judged, but not measured.",
				 NULL },
};

static bool watched(const struct app_server *s)
{
	return s->id && !s->covered_by;
}

/* The samples of one family for one server. */
static void samples(struct metrics *m, size_t family, const char *server,
		    const struct sg_stats *stats)
{
	struct metrics_label labels[2] = { { "server", server }, { families[family].label, NULL } };

	for (const struct counter *c = counters; c->value; c++) {
		if (c->family != family)
			continue;
		labels[1].value = c->value;
		metrics_u64(m, labels, families[family].label ? 2 : 1, counter_get(c, stats));
	}
}

static void counted(struct app *app, struct metrics *m, const struct sg_stats *stats)
{
	for (size_t f = COUNTER_NONE + 1; f < COUNTER_FAMILY_COUNT; f++) {
		metrics_family(m, families[f].name, METRICS_COUNTER, families[f].help);
		for (size_t i = 0; i < app->servers_n; i++)
			if (watched(app->servers[i]))
				samples(m, f, app->servers[i]->config->name, &stats[i]);
	}
}

static void latencies(struct app *app, struct metrics *m)
{
	static const struct {
		enum sg_metric metric;
		const char *name;
		const char *help;
	} rows[] = {
		{ SG_METRIC_CONNECT, "switchgear_connect_duration_seconds",
		  "From connect() to the established connection." },
		{ SG_METRIC_FIRST_BYTE, "switchgear_first_byte_duration_seconds",
		  "From the request's first byte to the answer's first byte." },
		{ SG_METRIC_ANSWER, "mcp_client_operation_duration_seconds",
		  "From the request's first byte to the answer's last byte." },
	};

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		metrics_family(m, rows[k].name, METRICS_HISTOGRAM, rows[k].help);
		for (size_t i = 0; i < app->servers_n; i++) {
			const struct metrics_label label = { "server",
							     app->servers[i]->config->name };
			struct sg_hist h;

			if (watched(app->servers[i]) &&
			    !dataplane_hist(app->dp, app->servers[i]->id, rows[k].metric, &h))
				metrics_hist(m, &label, 1, &h);
		}
	}
}

static void rtt(struct app *app, struct metrics *m, const struct sg_stats *stats)
{
	metrics_family(m, "switchgear_rtt_seconds_mean", METRICS_GAUGE,
		       "Mean smoothed round-trip time of connections at their end.");
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct metrics_label label = { "server", app->servers[i]->config->name };

		if (watched(app->servers[i]) && stats[i].rtt_count)
			metrics_double(m, &label, 1,
				       (double)stats[i].rtt_us_sum / (double)stats[i].rtt_count /
					       1e6);
	}
}

static void states(struct app *app, struct metrics *m)
{
	metrics_family(m, "switchgear_circuit_state", METRICS_GAUGE,
		       "1 for the state that the breaker is in, 0 for the others.");
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];

		if (!watched(s) || app_server_read(s))
			continue;
		for (unsigned int state = 0; state < SG_STATE_COUNT; state++) {
			const struct metrics_label labels[] = { { "server", s->config->name },
								{ "state", state_name(state) } };

			metrics_u64(m, labels, 2, sg_breaker_shown(&s->breaker) == state);
		}
	}
	metrics_family(m, "switchgear_quarantined", METRICS_GAUGE, "1 while in quarantine.");
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct metrics_label label = { "server", app->servers[i]->config->name };

		if (watched(app->servers[i]))
			metrics_u64(m, &label, 1, app->servers[i]->quarantine.active);
	}
	metrics_family(m, "switchgear_transitions_total", METRICS_COUNTER,
		       "Transitions of the breaker.");
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct metrics_label label = { "server", app->servers[i]->config->name };

		if (watched(app->servers[i]))
			metrics_u64(m, &label, 1, app->servers[i]->breaker.last.seq);
	}
}

/* A gauge that is absent is unknown: 0 would promise that nobody survived. */
static void kills(struct app *app, struct metrics *m)
{
	metrics_family(m, "switchgear_kill_survivors", METRICS_GAUGE,
		       "Connections that survived the latest kill; absent before the first one, "
		       "and while they could not be counted.");
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct app_server *s = app->servers[i];
		const struct metrics_label label = { "server", s->config->name };

		if (watched(s) && s->kill_counted)
			metrics_u64(m, &label, 1, s->kill_survivors);
	}
	metrics_family(m, "switchgear_kills_unproved_total", METRICS_COUNTER,
		       "Kills after which it could not be counted who survived.");
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct metrics_label label = { "server", app->servers[i]->config->name };

		if (watched(app->servers[i]))
			metrics_u64(m, &label, 1, app->servers[i]->kills_unproved);
	}
}

/* One sample for each group, named by its first server. */
static void group_gauge(struct app *app, struct metrics *m, const char *name, const char *help,
			bool limit)
{
	metrics_family(m, name, METRICS_GAUGE, help);
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct app_server *s = app->servers[i];
		const struct metrics_label labels[] = {
			{ "group", s->config->group ? s->config->group : "" },
			{ "first", s->config->name }
		};

		if (watched(s) && s->group == s->id)
			metrics_u64(m, labels, 2,
				    limit ? app_group_limit(app, s->group)
					  : app_group_count(app, s->group).open);
	}
}

static void limits(struct app *app, struct metrics *m)
{
	uint32_t limit = blast_limit(&app->groups.blast, clock_boot_ns());

	metrics_family(m, "switchgear_held", METRICS_GAUGE,
		       "1 while a limit across servers keeps a failing server closed.");
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct metrics_label label = { "server", app->servers[i]->config->name };

		if (watched(app->servers[i]))
			metrics_u64(m, &label, 1, app->servers[i]->held);
	}
	metrics_family(m, "switchgear_panic", METRICS_GAUGE,
		       "1 while it is held as the last usable server of its group.");
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct metrics_label label = { "server", app->servers[i]->config->name };

		if (watched(app->servers[i]))
			metrics_u64(m, &label, 1, app_group_panic(app->servers[i]));
	}
	group_gauge(app, m, "switchgear_group_open", "Servers of a group that are open.", false);
	group_gauge(app, m, "switchgear_group_limit", "Servers of a group that may be open.", true);
	metrics_family(m, "switchgear_blast_places", METRICS_GAUGE,
		       "Servers that opened lately and count in the blast limit.");
	metrics_u64(m, NULL, 0, app->groups.blast.places_n);
	metrics_family(m, "switchgear_blast_limit", METRICS_GAUGE,
		       "Servers that may newly open within blast_seconds; absent while off.");
	if (limit != SG_UNLIMITED)
		metrics_u64(m, NULL, 0, limit);
}

static void host(struct app *app, struct metrics *m)
{
	struct dataplane_program programs[DATAPLANE_PROGRAMS_MAX];
	struct dataplane_fill fill[8];
	size_t n = dataplane_programs(app->dp, programs, ARRAY_SIZE(programs));
	size_t maps = dataplane_fill(app->dp, fill, ARRAY_SIZE(fill));
	const struct metrics_label version = { "version", SWITCHGEAR_VERSION };

	metrics_family(m, "switchgear_build_info", METRICS_GAUGE, "Always 1.");
	metrics_u64(m, &version, 1, 1);
	metrics_family(m, "switchgear_observe_mode", METRICS_GAUGE, "1: nothing is refused.");
	metrics_u64(m, NULL, 0, app->observe);
	metrics_family(m, "switchgear_selftest_ok", METRICS_GAUGE,
		       "1: the canary was refused at the latest self-test.");
	metrics_u64(m, NULL, 0, !strcmp(app->selftest, "ok"));
	metrics_family(m, "switchgear_degraded", METRICS_GAUGE,
		       "Things that this host or its configuration keep from working.");
	metrics_u64(m, NULL, 0, app_degraded(app));
	metrics_family(m, "switchgear_events_lost_total", METRICS_COUNTER,
		       "Events that found the ring full.");
	metrics_u64(m, NULL, 0, dataplane_lost(app->dp));
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

int app_metrics(struct app *app, struct buf *out)
{
	CLEANUP(freep) struct sg_stats *stats = calloc(app->servers_n + 1, sizeof(*stats));
	struct metrics m;

	if (!stats)
		return -ENOMEM;
	for (size_t i = 0; i < app->servers_n; i++)
		if (watched(app->servers[i]))
			(void)!dataplane_stats(app->dp, app->servers[i]->id, &stats[i]);
	metrics_init(&m, out);
	host(app, &m);
	states(app, &m);
	kills(app, &m);
	limits(app, &m);
	counted(app, &m, stats);
	rtt(app, &m, stats);
	latencies(app, &m);
	return buf_error(out);
}
