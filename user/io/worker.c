/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"

#define NEVER UINT64_MAX
#define READS_MAX 16             /* messages in one worker_run(): others want to run too */
#define DOUBLINGS_MAX 16         /* far beyond WORKER_AGAIN_MAX_NS */
#define NAME "switchgear-worker" /* of the program and of its user */
/* Where that user does not exist: of a range that neither Debian nor systemd gives out. */
#define USER_NUMBER 61183

struct worker {
	const struct worker_program *program;
	int epoll_fd; /* holds fd while there is one */
	int fd;       /* -1: no process */
	pid_t pid;    /* 0: none, or reaped */
	pid_t zombie; /* one that did not die in time; 0: none */
	bool greeted; /* it has said who it is */
	bool given;   /* it has the job */
	enum worker_state state;
	struct worker_job job;
	int passed;          /* goes with the job; -1: nothing */
	unsigned int tries;  /* processes that did not finish this job */
	unsigned int deaths; /* since a job was done */
	uint64_t again_ns;   /* no process is started before */
	uint64_t idle_ns;    /* when this one is sent home */
	int r;
	char why[160];
	struct wire in;
	char data[WIRE_DATA_MAX] __attribute__((aligned(16)));
	char result[WIRE_DATA_MAX] __attribute__((aligned(16)));
};

/* --- the program ---------------------------------------------------------------------------- */

void worker_program_open(struct worker_program *r, const char *path, const char *ca_file)
{
	program_open(&r->program, NAME, USER_NUMBER, path);
	r->ca_file = ca_file ? strdup(ca_file) : NULL;
}

void worker_program_close(struct worker_program *p)
{
	program_close(&p->program);
	free(TAKE_PTR(p->ca_file));
}

/* --- its process ----------------------------------------------------------------------------- */

/* It is no more. Kills it, which is nothing new to one that has ended; 0 if it cannot be told
 * how it ended. */
static int end_process(struct worker *w)
{
	closep(&w->fd); /* its last: it leaves the epoll set too */
	w->fd = -1;
	w->greeted = false;
	w->given = false;
	return program_end(&w->pid, &w->zombie);
}

static void again_later(struct worker *w)
{
	unsigned int n = w->deaths < DOUBLINGS_MAX ? w->deaths : DOUBLINGS_MAX;
	uint64_t wait = WORKER_AGAIN_NS << n;

	w->deaths++;
	w->again_ns = clock_boot_ns() + (wait < WORKER_AGAIN_MAX_NS ? wait : WORKER_AGAIN_MAX_NS);
}

/* A process that was expected to work did not. */
static void died(struct worker *w, const char *why)
{
	int status = end_process(w);

	if (why)
		snprintf(w->why, sizeof(w->why), "%s", why);
	else
		program_explain(status, w->why, sizeof(w->why));
	again_later(w);
	if (w->state == WORKER_RUNNING && ++w->tries >= WORKER_TRIES)
		w->state = WORKER_DIED;
}

static int connect_process(struct worker *w)
{
	struct epoll_event ev = { .events = EPOLLIN };
	CLEANUP(closep) int theirs = -1;
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w->fd = pair[0];
	theirs = pair[1];
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return -errno;
	/* Nothing of the daemon's but how long a name server is waited for: two attempts of
	 * 3 s at each stay within the patience with a look-up. */
	r = program_start(&w->program->program, &theirs, 1, w->program->ca_file,
			  "RES_OPTIONS=timeout:3 attempts:2", &w->pid);
	if (r)
		w->pid = 0;
	return r;
}

static void begin_process(struct worker *w)
{
	int unused;
	int r;

	if (w->program->program.fd < 0) {
		died(w, w->program->program.error);
		return;
	}
	if (!program_reaped(&w->zombie, &unused)) {
		died(w, "the one before does not die");
		return;
	}
	r = connect_process(w);
	if (r)
		died(w, strerror(-r));
}

/* --- what is said ------------------------------------------------------------------------------ */

static int give(struct worker *w)
{
	const struct wire_head head = { .kind = WIRE_JOB,
					.what = w->job.op,
					.len = (uint32_t)w->job.len };

	w->given = true;
	return wire_send(w->fd, &head, w->data, w->passed);
}

static int hear_hello(struct worker *w)
{
	const struct wire *m = &w->in;

	if (w->greeted || m->head.len != sizeof(SWITCHGEAR_VERSION) ||
	    memcmp(m->data, SWITCHGEAR_VERSION, sizeof(SWITCHGEAR_VERSION)) != 0)
		return -EPROTO;
	w->greeted = true;
	return 0;
}

static int hear_question(struct worker *w, int fd)
{
	struct wire_head head = { .kind = WIRE_REPLY, .r = -EOPNOTSUPP };

	if (!w->given || w->state != WORKER_RUNNING)
		return -EPROTO;
	if (w->job.ask)
		head.r = w->job.ask(w->job.owner, w->in.head.what, w->in.data, w->in.head.len, fd);
	return wire_send(w->fd, &head, NULL, -1);
}

static int hear_result(struct worker *w)
{
	const struct wire *m = &w->in;

	if (!w->given || w->state != WORKER_RUNNING || m->head.len != w->job.size)
		return -EPROTO;
	memcpy(w->result, m->data, w->job.size);
	w->r = m->head.r;
	w->given = false;
	w->state = WORKER_DONE;
	w->deaths = 0;
	w->again_ns = 0;
	w->idle_ns = clock_boot_ns() + WORKER_IDLE_NS;
	return 0;
}

static int hear(struct worker *w, int fd)
{
	switch (w->in.head.kind) {
	case WIRE_HELLO:
		return hear_hello(w);
	case WIRE_ASK:
		return hear_question(w, fd);
	case WIRE_DONE:
		return hear_result(w);
	default:
		return -EPROTO;
	}
}

/* Takes one message: is there perhaps another one? */
static bool listen_once(struct worker *w)
{
	CLEANUP(closep) int fd = -1;
	int r = wire_recv(w->fd, MSG_DONTWAIT, &w->in, &fd);

	if (r == -EAGAIN)
		return false;
	if (r > 0) {
		r = hear(w, fd);
		if (!r)
			return true;
		/* a reply that finds nobody is a death, of which its end tells more */
		died(w, r == -EPIPE || r == -ECONNRESET ? NULL
			: w->greeted                    ? "it said what nobody understands"
				     : "it is of another version; restart switchgeard");
		return false;
	}
	died(w, r == -EBADMSG ? "it said what nobody understands" : NULL);
	return false;
}

/* --- the caller's side ---------------------------------------------------------------------------- */

int worker_new(const struct worker_program *program, struct worker **ret)
{
	CLEANUP(worker_freep) struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->program = program;
	w->fd = -1;
	w->passed = -1;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0)
		return -errno;
	*ret = TAKE_PTR(w);
	return 0;
}

void worker_free(struct worker *w)
{
	int unused;

	if (!w)
		return;
	(void)end_process(w);
	(void)program_reaped(&w->zombie, &unused);
	closep(&w->passed);
	closep(&w->epoll_fd);
	free(w);
}

int worker_start(struct worker *w, const struct worker_job *job)
{
	if (w->state == WORKER_RUNNING)
		return -EBUSY;
	if (job->op >= WORKER_OP_COUNT)
		return -EINVAL;
	if (job->len > WIRE_DATA_MAX || job->size > WIRE_DATA_MAX)
		return -E2BIG;
	closep(&w->passed); /* of the job before */
	w->passed = job->fd ? fcntl(*job->fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (job->fd && w->passed < 0)
		return -errno;
	w->job = *job;
	memcpy(w->data, job->data, job->len);
	w->job.data = NULL;
	w->job.fd = NULL;
	w->tries = 0;
	w->state = WORKER_RUNNING;
	return 0;
}

void worker_cancel(struct worker *w)
{
	if (w->state == WORKER_RUNNING)
		(void)end_process(w);
	w->state = WORKER_IDLE;
}

int worker_fd(const struct worker *w)
{
	return w->epoll_fd;
}

uint64_t worker_due_ns(const struct worker *w)
{
	uint64_t due;

	if (w->state != WORKER_RUNNING)
		return w->fd < 0 ? NEVER : w->idle_ns;
	if (w->fd >= 0)
		due = w->greeted && !w->given ? 0 : NEVER;
	else
		due = w->again_ns;
	return due < w->job.deadline_ns ? due : w->job.deadline_ns;
}

/* Does what can be done about the job at this time. */
static void go_on(struct worker *w, uint64_t now)
{
	if (now >= w->job.deadline_ns) {
		/* it was late, unless there was nobody to do it */
		w->state = w->fd < 0 && w->deaths ? WORKER_DIED : WORKER_TIMED_OUT;
		(void)end_process(w);
		return;
	}
	if (w->fd < 0 && now >= w->again_ns)
		begin_process(w);
	/* what cannot be given is heard of: the process has ended */
	if (w->fd >= 0 && w->greeted && !w->given)
		(void)!give(w);
}

enum worker_state worker_run(struct worker *w)
{
	uint64_t now = clock_boot_ns();

	for (int i = 0; i < READS_MAX && w->fd >= 0 && listen_once(w); i++)
		;
	if (w->state == WORKER_RUNNING)
		go_on(w, now);
	else if (w->fd >= 0 && now >= w->idle_ns)
		(void)end_process(w);
	return w->state;
}

const void *worker_result(const struct worker *w, int *ret_r)
{
	if (w->state != WORKER_DONE)
		return NULL;
	*ret_r = w->r;
	return w->result;
}

const char *worker_why(const struct worker *w)
{
	return w->why;
}

pid_t worker_pid(const struct worker *w)
{
	return w->pid;
}
