/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon leaves to others: asks name servers, and MCP servers whether they are there;
 * reads what scanners wrote.
 * Started by the daemon, for its ends only (io/worker.h), it gives up its rights first.
 * usage: switchgear-worker SOCKET PARENT USER [CA-FILE]
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "io/findings_job.h"
#include "io/resolver.h"
#include "io/worker.h"
#include "sandbox/sandbox.h"
#include "worker/worker.h"

#define SUB "worker"
#define FILES_MAX 64
#define MEMORY_MAX (512UL << 20)
#define EXIT_USAGE 2
#define EXIT_SANDBOX 3
#define EXIT_ALONE 4 /* the daemon is gone, or says what nobody understands */

static int line; /* to the daemon */
static struct wire heard;

static void done(int r, const void *result, size_t size)
{
	const struct wire_head head = { .kind = WIRE_DONE, .r = r, .len = (uint32_t)size };

	if (wire_send(line, &head, result, -1))
		_exit(EXIT_ALONE);
}

/* Waits for the answer. */
static int ask(enum probe_ask what, const void *data, size_t len, int fd)
{
	const struct wire_head head = { .kind = WIRE_ASK, .what = what, .len = (uint32_t)len };
	struct wire_head reply;
	struct wire *answer = malloc(sizeof(*answer));
	int none = -1;
	int r;

	if (!answer)
		return -ENOMEM;
	r = wire_send(line, &head, data, fd);
	if (!r)
		r = wire_recv(line, 0, answer, &none);
	reply = answer->head;
	free(answer);
	closep(&none);
	if (r != 1 || reply.kind != WIRE_REPLY)
		_exit(EXIT_ALONE);
	return reply.r;
}

/* --- jobs ---------------------------------------------------------------------------------------- */

static bool is_text(const struct wire *job)
{
	return job->head.len &&
	       memchr(job->data, '\0', job->head.len) == job->data + job->head.len - 1;
}

static void look_up(const struct wire *job, UNUSED int fd)
{
	struct resolver_answer answer = { 0 };

	if (is_text(job))
		resolver_look_up(job->data, &answer);
	done(is_text(job) ? 0 : -EINVAL, &answer, sizeof(answer));
}

static void group(const struct wire *job, UNUSED int fd)
{
	struct resolver_group answer = { 0 };

	if (is_text(job))
		resolver_group(job->data, &answer);
	done(is_text(job) ? 0 : -EINVAL, &answer, sizeof(answer));
}

static int own(UNUSED void *data, int socket)
{
	return ask(PROBE_ASK_OWN, NULL, 0, socket);
}

/* In pieces of a message each. */
static void tell_list(struct probe *p)
{
	CLEANUP(buf_done) struct buf text = BUF(TOOLS_TEXT_MAX);
	size_t at = 0;
	size_t n;

	if (probe_list(p, &text))
		return; /* no list is an end, too */
	for (; at < text.len; at += n) {
		n = text.len - at < WIRE_DATA_MAX ? text.len - at : WIRE_DATA_MAX;
		if (ask(PROBE_ASK_LIST, text.data + at, n, -1))
			return;
	}
}

static void tell(const struct probe *p)
{
	struct probe_verdict v = { .result = *probe_result(p), .era = probe_generation(p) };

	snprintf(v.why, sizeof(v.why), "%s", probe_objection(p));
	(void)ask(PROBE_ASK_VERDICT, &v, sizeof(v), -1);
}

static void wait_for(const struct probe *p)
{
	uint64_t now = clock_boot_ns();
	uint64_t due = probe_due_ns(p);
	struct pollfd f = { .fd = probe_fd(p), .events = POLLIN };
	int ms = -1;

	if (due != UINT64_MAX)
		ms = due > now ? (int)((due - now) / NS_PER_MS) + 1 : 0;
	poll(&f, 1, ms);
}

static void probe(const struct wire *job, UNUSED int fd)
{
	CLEANUP(probe_freep) struct probe *p = NULL;
	struct probe_job what;
	const struct probe_spec spec = {
		.job = &what, .version = SWITCHGEAR_VERSION, .own = { own, NULL }, .tls = &tls_curl
	};
	bool told = false;
	int r = -EINVAL;

	if (job->head.len == sizeof(what)) {
		memcpy(&what, job->data, sizeof(what));
		r = probe_new(&spec, &p);
	}
	while (!r && !probe_over(p)) {
		probe_run(p);
		if (!told && probe_result(p)) {
			told = true;
			if (what.tools)
				tell_list(p);
			tell(p);
		}
		if (!probe_over(p))
			wait_for(p);
	}
	done(r, NULL, 0);
}

static void findings(const struct wire *job, int fd)
{
	static struct findings_done result;
	struct findings_job what;
	int r = -EINVAL;

	result = (struct findings_done){ 0 };
	if (job->head.len == sizeof(what)) {
		memcpy(&what, job->data, sizeof(what));
		r = findings_job_do(&what, fd, &result);
	}
	done(r, &result, sizeof(result));
}

static void (*const jobs[])(const struct wire *job, int fd) = {
	[WORKER_LOOK_UP] = look_up,
	[WORKER_GROUP] = group,
	[WORKER_PROBE] = probe,
	[WORKER_FINDINGS] = findings,
};
_Static_assert(ARRAY_SIZE(jobs) == WORKER_OP_COUNT, "a job has no row");

/* --- its life ------------------------------------------------------------------------------------- */

static void greet(void)
{
	const struct wire_head head = { .kind = WIRE_HELLO, .len = sizeof(SWITCHGEAR_VERSION) };

	if (wire_send(line, &head, SWITCHGEAR_VERSION, -1))
		_exit(EXIT_ALONE);
}

static void __attribute__((noreturn)) serve(void)
{
	for (;;) {
		CLEANUP(closep) int fd = -1;

		if (wire_recv(line, 0, &heard, &fd) != 1) /* 0: it is not needed any more */
			_exit(0);
		if (heard.head.kind != WIRE_JOB || heard.head.what >= ARRAY_SIZE(jobs))
			_exit(EXIT_ALONE);
		jobs[heard.head.what](&heard, fd);
	}
}

int main(int argc, char **argv)
{
	uint64_t number = 0;
	uint64_t parent = 0;
	uint64_t user = 0;
	struct sandbox sandbox;
	const char *what;
	int r;

	if (argc < 4 || argc > 5 || parse_u64(argv[1], 0, INT32_MAX, &number) ||
	    parse_u64(argv[2], 1, INT32_MAX, &parent) ||
	    parse_u64(argv[3], 1, UINT32_MAX - 1, &user)) {
		fprintf(stderr, "switchgear-worker: a part of switchgeard, which starts it\n");
		return EXIT_USAGE;
	}
	line = (int)number;
	prctl(PR_SET_NAME, "sg-worker"); /* else that of a descriptor, by which it was started */
	signal(SIGINT, SIG_IGN);         /* Ctrl-C is the daemon's business */
	signal(SIGPIPE, SIG_IGN);
	/* what the tests inherit, too */
	close_range((unsigned int)line + 1, ~0U, 0);
	(void)!tls_prepare(argc == 5 ? argv[4] : NULL); /* https alone needs it */
	sandbox =
		(struct sandbox){ SANDBOX_ASKS, (uid_t)user, (pid_t)parent, FILES_MAX, MEMORY_MAX };
	r = sandbox_enter(&sandbox, &what);
	if (r) {
		log_error(SUB, "%s: %s; names are not looked up, and no server is asked", what,
			  strerror(-r));
		return EXIT_SANDBOX;
	}
	greet();
	serve();
}
