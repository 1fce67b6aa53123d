/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `history NAME`: how far a server was trusted over time, and what became of its breaker. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages_history.h"

#define WIDTH 60U
#define LEVELS 8

/* Eighths of a line's height, by a score's eighth of 100; a blank where nothing is known. */
static const char *const bars[LEVELS] = { "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
					  "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
					  "\xe2\x96\x87", "\xe2\x96\x88" };

static const char *bar(double score)
{
	int level = (int)(score * LEVELS / 100);

	if (isnan(score))
		return " ";
	return bars[level < 0 ? 0 : level < LEVELS ? level : LEVELS - 1];
}

/* What held at a time: the latest point before it. NULL: nothing is known. */
static const struct history_point *at(const struct reply_history *r, uint64_t wall_ns)
{
	const struct history_point *found = NULL;

	for (size_t i = 0; i < r->n_samples && r->samples[i].wall_ns <= wall_ns; i++)
		found = &r->samples[i];
	return found;
}

/* The lowest score of each piece of the time, and below it what kept calls out. */
static void print_lines(const struct reply_history *r)
{
	uint64_t span = r->to_wall_ns - r->from_wall_ns;
	struct buf scores = BUF(4096);
	struct buf states = BUF(4096);

	for (unsigned int i = 0; i < WIDTH; i++) {
		uint64_t begin = r->from_wall_ns + span / WIDTH * i;
		uint64_t end = r->from_wall_ns + span / WIDTH * (i + 1);
		const struct history_point *p = at(r, begin);
		double lowest = p ? p->score : NAN;
		char mark = !p ? ' ' : p->quarantined ? 'Q' : strcmp(p->state, "open") ? '.' : 'o';

		for (size_t k = 0; k < r->n_samples; k++) {
			const struct history_point *in = &r->samples[k];

			if (in->wall_ns < begin || in->wall_ns >= end)
				continue;
			lowest = fmin(lowest, in->score);
			if (in->quarantined)
				mark = 'Q';
			else if (mark != 'Q' && !strcmp(in->state, "open"))
				mark = 'o';
			else if (mark == ' ')
				mark = '.';
		}
		buf_puts(&scores, bar(lowest));
		buf_putc(&states, mark);
	}
	printf("score  %s\n", buf_str(&scores));
	printf("state  %s  o open, Q in quarantine\n", buf_str(&states));
	buf_done(&scores);
	buf_done(&states);
}

static void print_points(const struct reply_history *r)
{
	char time[32];
	char score[16];

	for (size_t i = 0; i < r->n_samples; i++) {
		const struct history_point *p = &r->samples[i];

		snprintf(score, sizeof(score), isnan(p->score) ? "-" : "%.1f", p->score);
		text_line(stdout, COLOUR_NONE, false, "%s  %5s  %s%s",
			  clock_format(time, sizeof(time), p->wall_ns), score, p->state,
			  p->quarantined ? ", in quarantine" : "");
	}
}

static int print_history(const struct context *context, const struct buf *answer)
{
	struct reply_history r = { 0 };
	int status = EXIT_DONE;

	if (context->args.json)
		return command_print_json(answer);
	if (reply_history_decode(buf_str(answer), answer->len, &r)) {
		status = command_misread(context);
	} else if (!r.n_samples) {
		text_line(stdout, COLOUR_NONE, false, "%s: nothing is kept of that time", r.server);
	} else {
		print_lines(&r);
		print_points(&r);
	}
	reply_history_done(&r);
	return status;
}

int run_history(struct context *context)
{
	CLEANUP(buf_done) struct buf target = { 0 };

	command_server_target(context, "/history", &target);
	if (context->args.since_ns != SINCE_ALL)
		buf_printf(&target, "?since=%" PRIu64, context->args.since_ns / NS_PER_SEC);
	return command_run(context, "GET", buf_str(&target), NULL, print_history);
}
