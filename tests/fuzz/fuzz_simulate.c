/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lines of events through scanner, simulation and writer, with limits small
 * enough to be met. The first byte chooses the policy. Demanded: what the strict
 * scanner takes, the lenient JSON checker takes too; what is printed scans again,
 * in the order of time; the same input gives the same output; never more probes
 * in flight than allowed; nothing refused is counted.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/jsonpos.h"
#include "sim/line.h"
#include "sim/write.h"

#define OUTPUT_MAX (8U << 20)

struct run {
	struct buf out;
	uint64_t last_ns;
};

static void demand(bool good)
{
	if (!good)
		abort();
}

static void on_report(void *arg, const struct sim_report *report)
{
	static const struct scan_key keys[] = { { "t", 1 }, { "server", 6 } };
	struct scan_value values[2];
	struct run *run = arg;
	struct scan_fault fault;
	size_t before = run->out.len;
	uint64_t t;

	demand(report->t_ns >= run->last_ns);
	run->last_ns = report->t_ns;
	sim_report_write(report, &run->out);
	if (buf_error(&run->out) < 0)
		return;
	demand(scan_object(run->out.data + before, run->out.len - before - 1, keys, 2, values,
			   &fault) == 0);
	demand(scan_nano(&values[0], UINT64_MAX, &t) == 0 && t == report->t_ns);
	demand(run->out.data[run->out.len - 1] == '\n');
	if (report->type == SIM_TRANSITION)
		demand(report->move->failed <= report->move->total ||
		       report->move->reason == SG_REASON_CONSECUTIVE);
	if (report->type == SIM_SHOWN_STATE)
		demand(report->failed_calls <= report->calls &&
		       report->slow_calls <= report->calls);
}

static struct breaker_policy policy(uint8_t choice)
{
	struct breaker_policy p = breaker_policy_defaults();

	p.jitter = choice & 1 ? 0 : 0.25;
	p.ramp_seconds = choice & 2 ? 0 : 4;
	p.open_seconds = 2;
	p.open_max_seconds = 20;
	p.consecutive_failures = choice & 4 ? 0 : 2;
	p.min_calls = 3;
	p.window_calls = choice & 8 ? 0 : 5;
	p.window_seconds = choice & 16 ? 0 : 10;
	p.window_buckets = choice & 16 ? 0 : 4;
	p.half_open_failure_rate = choice & 32 ? 0.5 : 0.01;
	p.half_open_max_seconds = 5;
	p.probe_lease_seconds = choice & 64 ? 2 : 30;
	p.slow_factor = choice & 128 ? 0 : 4;
	return p;
}

static void check_scanner(const char *line, size_t len, bool good)
{
	struct jsonpos_fault fault;
	int r;

	if (!good || len > 4096)
		return;
	r = jsonpos_parse(line, len, JSONPOS_DEPTH_MAX, NULL, &fault);
	demand(r == 0 || r == -EEXIST || r == -ENOMEM);
}

static void simulate(const uint8_t *data, size_t size, struct buf *out, bool check)
{
	struct run run = { 0 };
	struct sim_setup setup = {
		.policy = policy(data[0]),
		.seed = 1,
		.report = on_report,
		.arg = &run,
		.bounds = { .breakers = 16, .calls = 16 },
	};
	const char *p = (const char *)data + 1;
	const char *end = (const char *)data + size;
	struct sim *sim = NULL;
	struct sim_line line;
	struct scan_fault fault;

	run.out = BUF(OUTPUT_MAX);
	demand(sim_new(&setup, &sim) == 0);
	for (uint64_t number = 1; p < end; number++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline ? newline : end) - p);
		bool good = sim_line_parse(p, len, &line, &fault) == 0;

		if (good && line.type == SIM_LINE_EVENT) {
			enum sim_fault refused;

			line.event.line = number;
			refused = sim_feed(sim, &line.event);
			sim_line_explain(&line, refused, 0, &fault);
			if (refused != SIM_FAULT_NONE)
				demand(scan_column(p, fault.at) <= len);
		}
		if (!good)
			demand(fault.at <= len && scan_column(p, fault.at) <= len + 1);
		if (check)
			check_scanner(p, len, good && line.type != SIM_LINE_BLANK);
		p += len + 1;
	}
	sim_free(sim);
	*out = run.out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf first = { 0 };
	CLEANUP(buf_done) struct buf again = { 0 };

	if (!size)
		return 0;
	simulate(data, size, &first, true);
	simulate(data, size, &again, false);
	demand(first.len == again.len &&
	       (!first.len || !memcmp(first.data, again.data, first.len)));
	return 0;
}
