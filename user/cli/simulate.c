/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `switchgear simulate`: recorded or written events through a policy. Asks no
 * daemon. What was printed before an error is right up to there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "codec/config.h"
#include "codec/jsonlex.h"
#include "sim/line.h"
#include "sim/policy.h"
#include "sim/write.h"
#include "sim/blast.h"

#define INPUT_SIZE (4 * SIM_LINE_MAX)
#define OUTPUT_FLUSH (64U << 10)
#define OUTPUT_MAX (16U << 20)
#define SEED_DEFAULT 1
/* The daemon's lines come from several processors, each in order of its own. */
#define RECORDED_DISORDER_NS NS_PER_SEC

struct run {
	struct context *context;
	struct sim *sim;
	struct sim_blast blast;
	const char *name; /* of the input, in messages */
	int fd;
	uint64_t line;
	uint64_t now_ns;
	struct buf out;
	int write_error;
	struct sim_summary summary;
	struct sim_line parsed;
	char input[INPUT_SIZE];
};

static void run_freep(struct run **at)
{
	struct run *run = *at;

	if (!run)
		return;
	sim_free(run->sim);
	sim_blast_done(&run->blast);
	buf_done(&run->out);
	if (run->fd > STDIN_FILENO)
		close(run->fd);
	free(run);
}

/* --- output -------------------------------------------------------------------------- */

static void flush(struct run *run)
{
	const char *p = buf_str(&run->out);
	size_t left = run->out.len;

	while (left && !run->write_error) {
		ssize_t n = write(STDOUT_FILENO, p, left);

		if (n < 0 && errno != EINTR)
			run->write_error = errno;
		if (n > 0) {
			p += n;
			left -= (size_t)n;
		}
	}
	if (buf_error(&run->out) && !run->write_error)
		run->write_error = ENOMEM;
	buf_clear(&run->out);
}

static void on_report(void *arg, const struct sim_report *report)
{
	struct run *run = arg;

	if (report->type == SIM_TRANSITION && report->move->to == SG_OPEN) {
		if (report->tool.len)
			run->summary.tool_trips++;
		else
			run->summary.trips++;
	}
	if (report->type == SIM_ADMISSION)
		run->summary.would_deny += report->would_deny;
	sim_report_write(report, &run->out);
	if (run->out.len >= OUTPUT_FLUSH)
		flush(run);
}

/* --- input ----------------------------------------------------------------------------- */

static int fail_at(struct run *run, const char *text, const struct scan_fault *fault)
{
	flush(run);
	return command_fail(run->context, EXIT_FAILED, "bad_event", "",
			    "%.200s:%" PRIu64 ":%zu: %s", run->name, run->line,
			    scan_column(text, fault->at), fault->what);
}

static void count(struct run *run, const struct sim_event *e)
{
	struct sim_summary *s = &run->summary;

	if (e->op != SIM_CALL && e->op != SIM_START)
		return;
	s->calls++;
	if (sim_last_admitted(run->sim)) {
		s->admitted++;
		return;
	}
	s->refused++;
	if (e->op == SIM_CALL && e->outcome == SG_SUCCESS)
		s->refused_success++;
	else if (e->op == SIM_CALL && (e->outcome == SG_HARD || e->outcome == SG_SOFT))
		s->refused_failed++;
	else
		s->refused_neutral++;
}

static int take_line(struct run *run, const char *text, size_t len)
{
	struct sim_line *line = &run->parsed;
	struct scan_fault fault = { 0 };
	enum sim_fault refused;

	run->line++;
	if (run->line == 1) {
		size_t bom = json_bom(text, len);

		text += bom;
		len -= bom;
	}
	if (sim_line_parse(text, len, line, &fault))
		return fail_at(run, text, &fault);
	run->summary.recorded_trips += line->type == SIM_LINE_TRIP;
	if (line->type != SIM_LINE_EVENT)
		return EXIT_DONE;
	line->event.line = run->line;
	if (line->recorded && line->event.t_ns < run->now_ns &&
	    run->now_ns - line->event.t_ns <= RECORDED_DISORDER_NS)
		line->event.t_ns = run->now_ns;
	refused = sim_feed(run->sim, &line->event);
	if (refused != SIM_FAULT_NONE) {
		sim_line_explain(line, refused, run->now_ns, &fault);
		return fail_at(run, text, &fault);
	}
	run->now_ns = line->event.t_ns;
	count(run, &line->event);
	return run->write_error ? EXIT_FAILED : EXIT_DONE;
}

/* Takes the whole lines of input[have]; *ret_rest: bytes left over at its end. */
static int take_lines(struct run *run, size_t have, size_t *ret_rest)
{
	const char *p = run->input;
	const char *end = run->input + have;
	int status = EXIT_DONE;

	while (status == EXIT_DONE) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		if (!newline)
			break;
		status = take_line(run, p, (size_t)(newline - p));
		p = newline + 1;
	}
	*ret_rest = (size_t)(end - p);
	memmove(run->input, p, *ret_rest);
	return status;
}

static int unreadable(struct context *context, const char *what, const char *name, int error)
{
	return command_fail(context, EXIT_FAILED, "unreadable", "", "cannot read %s%.200s: %s",
			    what, name, strerror(error));
}

static int take_input(struct run *run)
{
	size_t have = 0;
	int status = EXIT_DONE;

	while (status == EXIT_DONE) {
		/* A line that fills the buffer ends the input: the parser says that it is too long. */
		ssize_t n = read(run->fd, run->input + have, INPUT_SIZE - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return unreadable(run->context, "", run->name, errno);
		if (n == 0)
			return have ? take_line(run, run->input, have) : EXIT_DONE;
		status = take_lines(run, have + (size_t)n, &have);
		/* Whoever feeds a pipe line by line sees the answers. */
		flush(run);
	}
	return status;
}

/* --- beginning and end ------------------------------------------------------------------- */

static int read_policy_text(struct context *context, const char *name, struct buf *text)
{
	CLEANUP(fclosep) FILE *file = fopen(name, "re");
	char chunk[4096];
	size_t n = 0;

	*text = BUF(CONFIG_SIZE_MAX + sizeof(chunk));
	while (file && text->len <= CONFIG_SIZE_MAX && (n = fread(chunk, 1, sizeof(chunk), file)))
		buf_append(text, chunk, n);
	if (file && !ferror(file) && buf_error(text) == 0)
		return EXIT_DONE;
	return unreadable(context, "the policy ", name, buf_error(text) ? ENOMEM : errno);
}

/* One message a line: the first is the one that programs get. */
static int bad_policy(struct context *context, const char *errors)
{
	char message[1024];
	int status = EXIT_DONE;

	while (*errors) {
		size_t len = strcspn(errors, "\n");

		snprintf(message, sizeof(message), "%.*s", (int)(len < 1000 ? len : 1000), errors);
		if (status == EXIT_DONE)
			status =
				command_fail(context, EXIT_FAILED, "bad_policy", "", "%s", message);
		else
			command_complain(message, "");
		errors += len + (errors[len] == '\n');
	}
	return status;
}

static int read_policy(struct context *context, struct sim_policy *ret)
{
	CLEANUP(buf_done) struct buf errors = BUF(65536);
	CLEANUP(buf_done) struct buf text = { 0 };
	int status = read_policy_text(context, context->args.policy, &text);
	int r;

	if (status != EXIT_DONE)
		return status;
	r = sim_policy_parse(buf_str(&text), text.len, context->args.policy, ret, &errors);
	if (r == -EINVAL)
		return bad_policy(context, buf_str(&errors));
	if (r)
		return command_fail(context, EXIT_FAILED, "no_memory", "", "out of memory");
	return EXIT_DONE;
}

static int open_input(struct run *run)
{
	const struct args *args = &run->context->args;

	run->fd = STDIN_FILENO;
	run->name = "stdin";
	if (!args->operands || !strcmp(args->operand[0], "-"))
		return EXIT_DONE;
	run->name = args->operand[0];
	run->fd = open(run->name, O_RDONLY | O_CLOEXEC);
	return run->fd < 0 ? unreadable(run->context, "", run->name, errno) : EXIT_DONE;
}

static int finish(struct run *run, int status)
{
	CLEANUP(buf_done) struct buf text = BUF(4096);
	char message[128];

	if (run->blast.failed && status == EXIT_DONE)
		status = command_fail(run->context, EXIT_FAILED, "no_memory", "",
				      "out of memory: the blast limit may have missed servers");
	run->summary.overflow = sim_overflow(run->sim);
	if (status == EXIT_DONE && run->context->args.summary) {
		if (run->context->args.json)
			sim_summary_write(&run->summary, &run->out);
		else
			sim_summary_print(&run->summary, &text);
	}
	flush(run);
	if (!run->write_error) {
		fputs(buf_str(&text), stderr);
		return status;
	}
	snprintf(message, sizeof(message), "cannot write the output: %s",
		 strerror(run->write_error));
	command_complain(message, "");
	return EXIT_FAILED;
}

int run_simulate(struct context *context)
{
	CLEANUP(run_freep) struct run *run = calloc(1, sizeof(*run));
	struct sim_setup setup = {
		.seed = context->args.given & 1U << OPTION_SEED ? context->args.seed : SEED_DEFAULT,
		.report = on_report,
		.arg = run,
	};
	struct sim_policy policy;
	int status;

	if (!run)
		return command_fail(context, EXIT_FAILED, "no_memory", "", "out of memory");
	run->context = context;
	run->fd = -1;
	run->out = BUF(OUTPUT_MAX);
	status = read_policy(context, &policy);
	if (status != EXIT_DONE)
		return status;
	setup.policy = policy.breaker;
	setup.trust = policy.trust;
	status = open_input(run);
	if (status != EXIT_DONE)
		return status;
	if (context->args.blast)
		setup.limits = sim_blast_init(&run->blast, &setup.policy);
	if (sim_new(&setup, &run->sim))
		return command_fail(context, EXIT_FAILED, "no_memory", "", "out of memory");
	return finish(run, take_input(run));
}
