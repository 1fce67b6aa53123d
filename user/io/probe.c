/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "codec/url.h"

#define NEVER UINT64_MAX
#define READS_MAX 8 /* in one probe_run(): others want to run too */

enum phase {
	PHASE_START, /* the next turn's connection is to be made */
	PHASE_CONNECT,
	PHASE_SHAKE, /* hands, of TLS */
	PHASE_SEND,
	PHASE_READ,
	PHASE_OVER,
};

struct probe {
	int epoll_fd; /* holds fd while there is one */
	int fd;
	enum phase phase;
	struct addr addrs[PROBE_ADDRS_MAX];
	size_t n_addrs;
	size_t at;    /* the address in use */
	bool reached; /* that one took a connection: the others are not tried any more */
	bool failed;  /* an address was tried in vain: */
	enum sg_cause cause;
	uint16_t port;
	struct probe_own own;
	const struct probe_tls *tls; /* NULL: plaintext */
	void *secure;                /* of fd, while there is one */
	struct probe_objection objection;
	uint64_t shake_due_ns;
	bool more; /* to read: TLS has taken more from the socket than it has given */
	uint64_t connect_ns;
	uint64_t late_ns;
	uint64_t connect_due_ns;
	uint64_t due_ns;
	uint64_t turn_ns;  /* when it began: the connect, then the first byte sent */
	uint64_t first_ns; /* how long its first byte took; 0: none yet */
	uint64_t slowest_ns;
	uint64_t slowest_first_ns;
	struct buf request;
	size_t sent;
	char bare[URL_HOST_MAX + 1];
	char host[URL_HOST_MAX + 16]; /* with brackets and port */
	char *path;
	char version[PROBE_VERSION_MAX + 1];
	struct probe_session talk;
};

/* --- what errors mean ----------------------------------------------------------------------- */

/* SG_CAUSE_NONE, as of what is not in the list: this host's own trouble. */
static const struct {
	int error;
	enum sg_cause connecting;
	enum sg_cause connected;
} meanings[] = {
	{ ECONNREFUSED, SG_CAUSE_REFUSED, SG_CAUSE_NONE },
	{ ECONNRESET, SG_CAUSE_RESET, SG_CAUSE_RESET },
	{ EPIPE, SG_CAUSE_NONE, SG_CAUSE_RESET },
	{ ETIMEDOUT, SG_CAUSE_TIMEOUT, SG_CAUSE_NO_ANSWER },
	{ EHOSTUNREACH, SG_CAUSE_UNREACHABLE, SG_CAUSE_UNREACHABLE },
	{ ENETUNREACH, SG_CAUSE_UNREACHABLE, SG_CAUSE_UNREACHABLE },
	{ EHOSTDOWN, SG_CAUSE_UNREACHABLE, SG_CAUSE_NONE },
	{ ECONNABORTED, SG_CAUSE_KILLED, SG_CAUSE_KILLED },
};

static enum sg_cause meaning_of(int error, bool connected)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].error == error)
			return connected ? meanings[i].connected : meanings[i].connecting;
	return SG_CAUSE_NONE;
}

static enum sg_class class_of(enum sg_cause cause)
{
	return cause == SG_CAUSE_NONE || cause == SG_CAUSE_KILLED ? SG_LOCAL : SG_HARD;
}

/* --- turns ------------------------------------------------------------------------------------ */

static void hang_up(struct probe *p)
{
	if (p->secure)
		p->tls->close(TAKE_PTR(p->secure));
	p->more = false;
	closep(&p->fd); /* its last: it leaves the epoll set too */
	p->fd = -1;
}

static void clock_turn(struct probe *p)
{
	uint64_t took = clock_boot_ns() - p->turn_ns;

	if (p->talk.judged || took <= p->slowest_ns)
		return;
	p->slowest_ns = took;
	p->slowest_first_ns = p->first_ns;
}

/* The talk has moved on: to its end, to the farewell, or to the next turn. */
static void turn_over(struct probe *p, bool was_judged)
{
	hang_up(p);
	if (p->talk.judged && !was_judged) {
		p->talk.result.latency_ns = p->slowest_ns;
		p->talk.result.first_ns = p->slowest_first_ns;
		p->due_ns = clock_boot_ns() + PROBE_FAREWELL_NS;
	}
	p->phase = p->talk.step == PROBE_OVER ? PHASE_OVER : PHASE_START;
}

static void fail_as(struct probe *p, enum sg_class class, enum sg_cause cause)
{
	bool was_judged = p->talk.judged;

	clock_turn(p);
	probe_session_fail(&p->talk, class, cause);
	turn_over(p, was_judged);
}

static void fail(struct probe *p, enum sg_cause cause)
{
	fail_as(p, class_of(cause), cause);
}

/* A hard failure of one address outweighs that another could not be tried. */
static void connect_failed(struct probe *p, enum sg_cause cause)
{
	hang_up(p);
	if (!p->failed || class_of(cause) == SG_HARD)
		p->cause = cause;
	p->failed = true;
	if (!p->reached && ++p->at < p->n_addrs)
		p->phase = PHASE_START;
	else
		fail(p, p->cause);
}

static int socket_open(struct probe *p, int family)
{
	struct epoll_event ev = { .events = EPOLLOUT };
	int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return -errno;
	p->fd = fd;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	return p->own.add ? p->own.add(p->own.data, fd) : 0;
}

static int socket_connect(struct probe *p)
{
	const struct addr *addr = &p->addrs[p->at];
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(p->port) };
	bool v4 = addr_is_v4(addr);
	int r = socket_open(p, v4 ? AF_INET : AF_INET6);

	if (r)
		return r;
	memcpy(&sin6.sin6_addr, addr->bytes, 16);
	memcpy(&sin.sin_addr, addr->bytes + 12, 4);
	r = connect(p->fd, v4 ? (const void *)&sin : (const void *)&sin6,
		    v4 ? sizeof(sin) : sizeof(sin6));
	return r && errno != EINPROGRESS ? -errno : 0;
}

static void start(struct probe *p)
{
	enum sg_cause cause;
	int r;

	p->turn_ns = clock_boot_ns();
	p->connect_due_ns = p->turn_ns + p->connect_ns;
	p->phase = PHASE_CONNECT;
	p->failed = p->failed && !p->reached;
	p->first_ns = 0;
	buf_clear(&p->request);
	p->sent = 0;
	r = probe_session_request(&p->talk, &p->request);
	if (r) {
		fail(p, SG_CAUSE_NONE);
		return;
	}
	r = socket_connect(p);
	if (!r)
		return;
	cause = meaning_of(-r, false);
	/* no route here: not a SYN has left */
	connect_failed(p, cause == SG_CAUSE_UNREACHABLE ? SG_CAUSE_NONE : cause);
}

/* All three return whether there may be more to do at once. */
static bool finish_connect(struct probe *p)
{
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		connect_failed(p, meaning_of(error, false));
		return true;
	}
	if (getpeername(p->fd, (struct sockaddr *)&peer, &peer_len))
		return false; /* still connecting */
	p->reached = true;
	p->phase = p->tls ? PHASE_SHAKE : PHASE_SEND;
	p->turn_ns = clock_boot_ns();
	return true;
}

/* It is the server that is waited for: readable is when to go on. */
static bool shake_hands(struct probe *p)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int r = 0;

	if (!p->secure) {
		r = p->tls->open(p->fd, p->bare, p->port, &p->secure);
		if (r || epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, p->fd, &ev)) {
			fail(p, SG_CAUSE_NONE);
			return true;
		}
	}
	r = p->tls->shake(p->secure, &p->objection);
	if (r == -EAGAIN) {
		p->shake_due_ns = clock_boot_ns() + PROBE_SHAKE_NS;
		return false;
	}
	if (r) {
		fail_as(p, p->objection.class, p->objection.cause);
		return true;
	}
	ev.events = EPOLLOUT;
	p->phase = PHASE_SEND;
	p->turn_ns = clock_boot_ns();
	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, p->fd, &ev))
		fail(p, SG_CAUSE_NONE);
	return true;
}

static void await_answer(struct probe *p)
{
	struct epoll_event ev = { .events = EPOLLIN };

	p->phase = PHASE_READ;
	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, p->fd, &ev))
		fail(p, SG_CAUSE_NONE);
}

static ssize_t put(struct probe *p, const char *data, size_t len)
{
	ssize_t n;

	if (p->tls)
		return p->tls->send(p->secure, data, len);
	n = send(p->fd, data, len, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static ssize_t get(struct probe *p, char *data, size_t len)
{
	ssize_t n;

	if (p->tls)
		return p->tls->recv(p->secure, data, len);
	n = recv(p->fd, data, len, 0);
	return n < 0 ? -errno : n;
}

static bool send_request(struct probe *p)
{
	ssize_t n = put(p, buf_str(&p->request) + p->sent, p->request.len - p->sent);

	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n < 0 && n != -EPIPE) { /* EPIPE: it may have answered before it hung up */
		fail(p, meaning_of((int)-n, true));
		return true;
	}
	p->sent += n > 0 ? (size_t)n : 0;
	if (n < 0 || p->sent == p->request.len)
		await_answer(p);
	return true;
}

static bool read_answer(struct probe *p)
{
	char piece[4096];
	bool was_judged = p->talk.judged;
	ssize_t n = get(p, piece, sizeof(piece));

	p->more = p->tls && n != -EAGAIN;
	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n < 0) {
		fail(p, meaning_of((int)-n, true));
		return true;
	}
	if (n && !p->first_ns)
		p->first_ns = clock_boot_ns() - p->turn_ns;
	if (p->talk.step != PROBE_INITIALIZED)
		clock_turn(p);
	p->talk.answer.wall_ns = clock_wall_ns();
	if (n ? probe_session_feed(&p->talk, piece, (size_t)n) : probe_session_eof(&p->talk))
		turn_over(p, was_judged);
	return true;
}

static bool go_on(struct probe *p)
{
	switch (p->phase) {
	case PHASE_START:
		start(p);
		return true;
	case PHASE_CONNECT:
		return finish_connect(p);
	case PHASE_SHAKE:
		return shake_hands(p);
	case PHASE_SEND:
		return send_request(p);
	case PHASE_READ:
		return read_answer(p);
	default:
		return false;
	}
}

static void check_time(struct probe *p)
{
	uint64_t now = clock_boot_ns();
	uint64_t due = p->phase == PHASE_CONNECT && p->connect_due_ns < p->due_ns
			       ? p->connect_due_ns
			       : p->due_ns;

	if (p->phase == PHASE_OVER || now < due)
		return;
	if (p->phase != PHASE_START && now - due > p->late_ns)
		fail(p, SG_CAUSE_NONE);
	else if (now >= p->due_ns)
		fail(p, SG_CAUSE_NO_ANSWER);
	else if (p->phase == PHASE_CONNECT)
		connect_failed(p, SG_CAUSE_TIMEOUT);
}

/* --- interface ---------------------------------------------------------------------------------- */

int probe_new(const struct probe_spec *spec, struct probe **ret)
{
	CLEANUP(probe_freep) struct probe *p = calloc(1, sizeof(*p));
	const struct probe_job *job = spec->job;
	struct probe_target target;
	int r;

	if (!p)
		return -ENOMEM;
	p->fd = -1;
	p->epoll_fd = -1;
	p->request = BUF(PROBE_REQUEST_MAX);
	if (!job->n_addrs || job->n_addrs > PROBE_ADDRS_MAX || (job->tls && !spec->tls))
		return -EINVAL;
	p->n_addrs = job->n_addrs;
	memcpy(p->addrs, job->addrs, sizeof(p->addrs));
	p->port = job->port;
	p->own = spec->own;
	p->tls = job->tls ? spec->tls : NULL;
	p->connect_ns = job->connect_ns;
	p->late_ns = spec->late_ns ? spec->late_ns : PROBE_LATE_NS;
	p->turn_ns = clock_boot_ns();
	p->due_ns = job->limit_ns < NEVER - p->turn_ns ? p->turn_ns + job->limit_ns : NEVER;
	snprintf(p->bare, sizeof(p->bare), "%s", job->host);
	r = probe_host(job->host, job->port, job->tls, p->host, sizeof(p->host));
	if (r)
		return r;
	p->path = strdup(job->path);
	if (!p->path)
		return -ENOMEM;
	snprintf(p->version, sizeof(p->version), "%s", spec->version);
	target = (struct probe_target){ p->host, p->path, p->version };
	r = probe_session_init(&p->talk, &target, (enum probe_generation)job->era);
	if (r)
		return r;
	if (job->tools)
		probe_session_list(&p->talk);
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll_fd < 0)
		return -errno;
	*ret = TAKE_PTR(p);
	return 0;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	hang_up(p);
	closep(&p->epoll_fd);
	probe_session_done(&p->talk);
	buf_done(&p->request);
	free(p->path);
	free(p);
}

int probe_fd(const struct probe *p)
{
	return p->epoll_fd;
}

uint64_t probe_due_ns(const struct probe *p)
{
	if (p->phase == PHASE_OVER)
		return NEVER;
	if (p->phase == PHASE_START || p->more)
		return 0;
	if (p->phase == PHASE_SHAKE && p->shake_due_ns < p->due_ns)
		return p->shake_due_ns;
	if (p->phase == PHASE_CONNECT && p->connect_due_ns < p->due_ns)
		return p->connect_due_ns;
	return p->due_ns;
}

void probe_run(struct probe *p)
{
	for (int i = 0; i < READS_MAX && go_on(p); i++)
		;
	check_time(p);
}

const struct probe_result *probe_result(const struct probe *p)
{
	return p->talk.judged ? &p->talk.result : NULL;
}

enum probe_generation probe_generation(const struct probe *p)
{
	return p->talk.era;
}

const char *probe_objection(const struct probe *p)
{
	return p->objection.why;
}

int probe_list(struct probe *p, struct buf *out)
{
	struct tools_answer *list = &p->talk.list;

	if (!list->listed && *p->objection.why)
		snprintf(list->why, sizeof(list->why), "%s", p->objection.why);
	return tools_answer_encode(list, out);
}

bool probe_over(const struct probe *p)
{
	return p->phase == PHASE_OVER;
}

/* --- as a job -------------------------------------------------------------------------------------- */

bool probe_verdict_valid(const struct probe_verdict *v, size_t len)
{
	return len == sizeof(*v) && (unsigned int)v->result.class < SG_CLASS_COUNT &&
	       (unsigned int)v->result.cause < SG_CAUSE_COUNT &&
	       *(const uint8_t *)&v->result.complete <= 1 && v->era < PROBE_GENERATION_COUNT &&
	       memchr(v->why, '\0', sizeof(v->why));
}
