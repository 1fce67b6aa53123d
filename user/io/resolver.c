/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's side: a queue, and a few children that have one question each.
 * A child is started when there is a question for it, at most one a second in
 * each place, so that children which die at once cannot eat the host.
 */
#include "io/resolver.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/resolver_private.h"

#define SUB "resolver"
#define RESPAWN_NS NS_PER_SEC
#define NEVER UINT64_MAX

struct question {
	struct question *next;
	uint64_t id;
	char host[RESOLVER_HOST_MAX + 1];
};

struct worker {
	int fd; /* -1: not running */
	pid_t pid;
	uint64_t spawned_ns; /* 0: never */
	uint64_t asked_ns;
	struct question *question; /* NULL: idle */
};

struct resolver {
	int epoll_fd;
	resolver_fn *fn;
	void *data;
	uint64_t patience_ns;
	struct worker workers[RESOLVER_WORKERS];
	struct question *head;
	struct question **tail;
	size_t queued;
};

/* --- children --------------------------------------------------------------- */

static void worker_stop(struct worker *w)
{
	if (w->fd < 0)
		return;
	close(w->fd);
	w->fd = -1;
	/* SIGKILL ends it at once; by its id, and only this child is waited for. */
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int worker_start(struct resolver *resolver, struct worker *w, uint64_t now)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };
	int r;

	w->spawned_ns = now;
	r = resolver_spawn(&w->fd, &w->pid);
	if (r < 0)
		return r;
	if (epoll_ctl(resolver->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0) {
		r = -errno;
		worker_stop(w);
		return r;
	}
	return 0;
}

/* The worker is idle before fn is called: it may ask again. */
static void worker_done(struct resolver *resolver, struct worker *w, const struct addr *addrs,
			size_t n, const char *error)
{
	CLEANUP(freep) struct question *question = TAKE_PTR(w->question);

	if (question)
		resolver->fn(resolver->data, question->id, addrs, n, error);
}

static void worker_read(struct resolver *resolver, struct worker *w)
{
	struct resolver_answer answer;
	ssize_t n = recv(w->fd, &answer, sizeof(answer), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(answer) || answer.n > RESOLVER_ADDRS_MAX) {
		log_warning(SUB, "the child %d that resolves names ended: it is replaced", w->pid);
		worker_stop(w);
		worker_done(resolver, w, NULL, 0, "the process that resolves names ended");
		return;
	}
	answer.error[sizeof(answer.error) - 1] = '\0';
	worker_done(resolver, w, answer.addrs, answer.n, answer.n ? NULL : answer.error);
}

static void worker_expire(struct resolver *resolver, struct worker *w, uint64_t now)
{
	char error[96];

	if (!w->question || now < w->asked_ns + resolver->patience_ns)
		return;
	snprintf(error, sizeof(error), "no answer within %.1f s: is a name server reachable?",
		 (double)resolver->patience_ns / 1e9);
	worker_stop(w);
	worker_done(resolver, w, NULL, 0, error);
}

/* --- the queue -------------------------------------------------------------- */

static struct question *queue_pop(struct resolver *resolver)
{
	struct question *question = resolver->head;

	resolver->head = question->next;
	if (!resolver->head)
		resolver->tail = &resolver->head;
	resolver->queued--;
	return question;
}

/* Whether the worker can have a question now; starts it if need be. */
static bool worker_ready(struct resolver *resolver, struct worker *w, uint64_t now)
{
	int r;

	if (w->question)
		return false;
	if (w->fd >= 0)
		return true;
	if (w->spawned_ns && now < w->spawned_ns + RESPAWN_NS)
		return false;
	r = worker_start(resolver, w, now);
	if (r < 0)
		log_failure(r, SUB, "cannot start a process that resolves names: trying again");
	return r == 0;
}

static void worker_ask(struct resolver *resolver, struct worker *w, uint64_t now)
{
	struct resolver_question message = { 0 };

	w->question = queue_pop(resolver);
	w->asked_ns = now;
	memcpy(message.host, w->question->host, sizeof(message.host));
	/* A failure shows as the end of the child, which worker_read() hears of. */
	if (send(w->fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug(SUB, "the child %d does not listen", w->pid);
}

static void hand_out(struct resolver *resolver, uint64_t now)
{
	/* Running children first, then new ones. */
	for (int start = 0; start <= 1; start++)
		for (size_t i = 0; resolver->head && i < RESOLVER_WORKERS; i++) {
			struct worker *w = &resolver->workers[i];

			if ((start || w->fd >= 0) && worker_ready(resolver, w, now))
				worker_ask(resolver, w, now);
		}
}

/* --- interface -------------------------------------------------------------- */

int resolver_new(resolver_fn *fn, void *data, uint64_t patience_ns, struct resolver **ret)
{
	CLEANUP(resolver_freep) struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return -ENOMEM;
	for (size_t i = 0; i < RESOLVER_WORKERS; i++)
		resolver->workers[i].fd = -1;
	resolver->fn = fn;
	resolver->data = data;
	resolver->patience_ns = patience_ns;
	resolver->tail = &resolver->head;
	resolver->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (resolver->epoll_fd < 0)
		return -errno;
	*ret = TAKE_PTR(resolver);
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	for (size_t i = 0; i < RESOLVER_WORKERS; i++) {
		worker_stop(&resolver->workers[i]);
		free(resolver->workers[i].question);
	}
	while (resolver->head)
		free(queue_pop(resolver));
	closep(&resolver->epoll_fd);
	free(resolver);
}

int resolver_fd(const struct resolver *resolver)
{
	return resolver->epoll_fd;
}

uint64_t resolver_due_ns(const struct resolver *resolver)
{
	uint64_t due = NEVER;

	for (size_t i = 0; i < RESOLVER_WORKERS; i++) {
		const struct worker *w = &resolver->workers[i];
		uint64_t at = NEVER;

		if (w->question)
			at = w->asked_ns + resolver->patience_ns;
		else if (resolver->head)
			at = w->fd < 0 && w->spawned_ns ? w->spawned_ns + RESPAWN_NS : 0;
		if (at < due)
			due = at;
	}
	return due;
}

void resolver_run(struct resolver *resolver)
{
	struct epoll_event events[RESOLVER_WORKERS];
	int n = epoll_wait(resolver->epoll_fd, events, RESOLVER_WORKERS, 0);
	uint64_t now = clock_boot_ns();

	for (int i = 0; i < n; i++)
		worker_read(resolver, events[i].data.ptr);
	for (size_t i = 0; i < RESOLVER_WORKERS; i++)
		worker_expire(resolver, &resolver->workers[i], now);
	hand_out(resolver, now);
}

int resolver_ask(struct resolver *resolver, uint64_t id, const char *host)
{
	size_t len = strlen(host);
	struct question *question;

	if (!len || len > RESOLVER_HOST_MAX)
		return -EINVAL;
	if (resolver->queued == RESOLVER_QUEUE_MAX)
		return -ENOBUFS;
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->id = id;
	memcpy(question->host, host, len);
	*resolver->tail = question;
	resolver->tail = &question->next;
	resolver->queued++;
	return 0;
}
