/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

#define SUB "relay"
#define NAME "switchgear-relay" /* of the program and of its user */
/* Where that user does not exist: see io/worker.c, whose number is the next one. */
#define USER_NUMBER 61182
#define RESERVED_FIRST 700 /* none of these is given to a service of today */
#define RESERVED_PORTS 40
#define READS_MAX 64             /* messages in one relay_run(): others want to run too */
#define HANGUPS_MAX 256          /* connections, the same */
#define DOUBLINGS_MAX 16         /* far beyond RELAY_AGAIN_MAX_NS */
#define BACKLOG 1024             /* as many as it serves at a time */
#define STEADY_NS 60000000000ULL /* who lived for so long did not die of its start */
#define SILENT_NS 5000000000ULL  /* who says nothing for so long never will */
#define SUSPECT_NS 1000000000ULL /* as it may have slept, with all of the host */
#define TROUBLE_NS 1000000000ULL /* one line about its troubles in so long */

enum todo {
	TODO_NOTHING,
	TODO_RULE,
	TODO_DROP,
};

struct held {
	struct relay_rule rule;
	int tools; /* sealed; -1: none */
};

struct relay {
	struct program program;
	relay_stats_fn *stats;
	void *owner;
	int epoll_fd;  /* holds the line, else the listeners */
	int listen[2]; /* IPv4, IPv6; -1: none */
	uint16_t port[2];
	int origins;
	int line;     /* -1: no process */
	pid_t pid;    /* 0: none, or reaped */
	pid_t zombie; /* one that did not die in time; 0: none */
	bool greeted; /* it has said who it is */
	bool ready;   /* and was told all rules */
	bool blocked; /* the line is full */
	uint64_t started_ns;
	uint64_t heard_ns; /* when it last said something */
	bool suspect;      /* it was silent for too long: it has SUSPECT_NS more */
	uint64_t again_ns; /* no process is started before */
	uint64_t trouble_ns;
	unsigned int deaths;
	struct held *held[SG_SERVERS_MAX]; /* NULL: no rule */
	uint8_t todo[SG_SERVERS_MAX];      /* enum todo: what the process does not know yet */
	char why[160];
	struct wire in;
};

/* --- listeners --------------------------------------------------------------------------------- */

/*
 * At a port that ordinary users cannot have, of those that services leave alone: if the daemon dies
 * nobody else is found there, in the moment until the kernel sends no more agents. False: they are
 * taken, or may not be had; any other will do.
 */
static bool bind_reserved(int fd, const void *at, socklen_t len, in_port_t *port)
{
	uint16_t first = 0;

	if (getrandom(&first, sizeof(first), GRND_NONBLOCK) != sizeof(first))
		return false;
	for (uint16_t i = 0; i < RESERVED_PORTS; i++) {
		*port = htons(
			(uint16_t)(RESERVED_FIRST + (first % RESERVED_PORTS + i) % RESERVED_PORTS));
		if (!bind(fd, at, len))
			return true;
		if (errno != EADDRINUSE)
			break;
	}
	*port = 0;
	return false;
}

static int listen_at(int family, int *ret_fd, uint16_t *ret_port)
{
	CLEANUP(closep) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in a4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bool v6 = family == AF_INET6;
	void *at = v6 ? (void *)&a6 : (void *)&a4;
	in_port_t *port = v6 ? &a6.sin6_port : &a4.sin_port;
	socklen_t len = v6 ? sizeof(a6) : sizeof(a4);
	const int on = 1;

	if (fd < 0 || (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return -errno;
	if (!bind_reserved(fd, at, len, port) && bind(fd, at, len) < 0)
		return -errno;
	if (listen(fd, BACKLOG) < 0 || getsockname(fd, at, &len) < 0)
		return -errno;
	*ret_port = ntohs(v6 ? a6.sin6_port : a4.sin_port);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int listen_all(struct relay *r)
{
	int r4 = listen_at(AF_INET, &r->listen[0], &r->port[0]);
	int r6 = listen_at(AF_INET6, &r->listen[1], &r->port[1]);

	if (r4 == -EMFILE || r6 == -EMFILE)
		return -EMFILE;
	return r4 && r6 ? -EADDRNOTAVAIL : 0;
}

/* While there is no process the daemon watches the ports itself. */
static int watch_listeners(struct relay *r, bool on)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->listen); i++) {
		struct epoll_event ev = { .events = EPOLLIN };
		int op = on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;

		if (r->listen[i] >= 0 && epoll_ctl(r->epoll_fd, op, r->listen[i], &ev) < 0 &&
		    errno != EEXIST && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* By a reset: who connected is told at once, whatever it does. */
static void hang_up(const struct relay *r)
{
	const struct linger at_once = { 1, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(r->listen); i++)
		for (int n = 0; r->listen[i] >= 0 && n < HANGUPS_MAX; n++) {
			CLEANUP(closep) int fd = accept4(r->listen[i], NULL, NULL, SOCK_CLOEXEC);

			if (fd < 0)
				break;
			(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		}
}

/* --- its process ------------------------------------------------------------------------------- */

static int end_process(struct relay *r)
{
	closep(&r->line); /* its last: it leaves the epoll set too */
	r->line = -1;
	r->greeted = false;
	r->ready = false;
	r->blocked = false;
	(void)!watch_listeners(r, true); /* else they wait for the next process */
	return program_end(&r->pid, &r->zombie);
}

/* A process that was expected to work did not. */
static void died(struct relay *r, const char *why)
{
	uint64_t now = clock_boot_ns();
	int status = end_process(r);
	uint64_t wait;

	if (why)
		snprintf(r->why, sizeof(r->why), "%s", why);
	else
		program_explain(status, r->why, sizeof(r->why));
	if (r->started_ns && now - r->started_ns >= STEADY_NS)
		r->deaths = 0;
	wait = RELAY_AGAIN_NS << (r->deaths < DOUBLINGS_MAX ? r->deaths : DOUBLINGS_MAX);
	r->deaths++;
	r->again_ns = now + (wait < RELAY_AGAIN_MAX_NS ? wait : RELAY_AGAIN_MAX_NS);
	hang_up(r);
}

static int connect_process(struct relay *r)
{
	struct epoll_event ev = { .events = EPOLLIN };
	CLEANUP(closep) int theirs = -1;
	int fds[RELAY_FD_END - PROGRAM_SOCKET];
	int pair[2];
	int e;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	r->line = pair[0];
	theirs = pair[1];
	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->line, &ev) < 0)
		return -errno;
	fds[RELAY_FD_LINE - PROGRAM_SOCKET] = theirs;
	fds[RELAY_FD_LISTEN4 - PROGRAM_SOCKET] = r->listen[0];
	fds[RELAY_FD_LISTEN6 - PROGRAM_SOCKET] = r->listen[1];
	fds[RELAY_FD_ORIGINS - PROGRAM_SOCKET] = r->origins;
	e = program_start(&r->program, fds, ARRAY_SIZE(fds), NULL, NULL, &r->pid);
	if (e)
		r->pid = 0;
	return e;
}

static void begin_process(struct relay *r)
{
	int unused;
	int e;

	if (r->program.fd < 0) {
		died(r, r->program.error);
		return;
	}
	if (!program_reaped(&r->zombie, &unused)) {
		died(r, "the one before does not die");
		return;
	}
	r->started_ns = clock_boot_ns();
	r->heard_ns = r->started_ns;
	r->suspect = false;
	e = connect_process(r);
	if (!e)
		e = watch_listeners(r, false);
	if (e)
		died(r, strerror(-e));
}

/* --- what it is told ------------------------------------------------------------------------------ */

/* 0; -EAGAIN: later. */
static int tell_one(struct relay *r, uint32_t server)
{
	const struct held *h = r->held[server];
	struct wire_head head = { .kind = RELAY_WIRE_DROP, .what = server };
	int e;

	if (r->todo[server] == TODO_RULE) {
		head.kind = RELAY_WIRE_RULE;
		head.len = sizeof(h->rule);
		e = wire_send(r->line, &head, &h->rule, h->tools);
	} else {
		e = wire_send(r->line, &head, NULL, -1);
	}
	if (!e)
		r->todo[server] = TODO_NOTHING;
	return e;
}

/* What is refused for good is heard of: the process has ended. */
static int tell_all(struct relay *r)
{
	const struct wire_head head = { .kind = RELAY_WIRE_READY };
	int e = 0;

	for (uint32_t i = 0; i < SG_SERVERS_MAX && !e; i++)
		if (r->todo[i] != TODO_NOTHING)
			e = tell_one(r, i);
	if (e || r->ready)
		return e;
	e = wire_send(r->line, &head, NULL, -1);
	r->ready = !e;
	return e;
}

static void tell(struct relay *r)
{
	bool blocked = tell_all(r) == -EAGAIN;
	struct epoll_event ev = { .events = EPOLLIN | (blocked ? EPOLLOUT : 0) };

	if (blocked != r->blocked && !epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, r->line, &ev))
		r->blocked = blocked;
}

/* --- what it says ---------------------------------------------------------------------------------- */

static int hear_hello(struct relay *r)
{
	const struct wire *m = &r->in;

	if (r->greeted || m->head.len != sizeof(SWITCHGEAR_VERSION) ||
	    memcmp(m->data, SWITCHGEAR_VERSION, sizeof(SWITCHGEAR_VERSION)) != 0)
		return -EPROTO;
	r->greeted = true;
	for (uint32_t i = 0; i < SG_SERVERS_MAX; i++)
		r->todo[i] = r->held[i] ? TODO_RULE : TODO_NOTHING;
	return 0;
}

static int hear_stats(const struct relay *r)
{
	struct relay_stats s;

	if (!r->greeted || r->in.head.len != sizeof(s))
		return -EPROTO;
	memcpy(&s, r->in.data, sizeof(s));
	if (s.server >= SG_SERVERS_MAX)
		return -EPROTO;
	if (r->stats)
		r->stats(r->owner, &s);
	return 0;
}

static int hear_trouble(struct relay *r)
{
	const struct wire *m = &r->in;
	uint64_t now = clock_boot_ns();

	if (!r->greeted || !m->head.len || m->head.len > RELAY_TROUBLE_MAX ||
	    memchr(m->data, '\0', m->head.len) != m->data + m->head.len - 1)
		return -EPROTO;
	if (now - r->trouble_ns >= TROUBLE_NS)
		log_warning(SUB, "%s", m->data);
	r->trouble_ns = now;
	return 0;
}

static int hear(struct relay *r)
{
	switch (r->in.head.kind) {
	case RELAY_WIRE_HELLO:
		return hear_hello(r);
	case RELAY_WIRE_ALIVE:
		return r->ready && !r->in.head.len ? 0 : -EPROTO;
	case RELAY_WIRE_STATS:
		return hear_stats(r);
	case RELAY_WIRE_TROUBLE:
		return hear_trouble(r);
	default:
		return -EPROTO;
	}
}

/* Takes one message: is there perhaps another one? */
static bool listen_once(struct relay *r)
{
	CLEANUP(closep) int fd = -1;
	int e = wire_recv(r->line, MSG_DONTWAIT, &r->in, &fd);

	if (e == -EAGAIN)
		return false;
	r->heard_ns = clock_boot_ns();
	r->suspect = false;
	if (e > 0 && !hear(r))
		return true;
	if (e > 0)
		died(r, r->greeted ? "it said what nobody understands"
				   : "it is of another version; restart switchgeard");
	else
		died(r, e == -EBADMSG ? "it said what nobody understands" : NULL);
	return false;
}

/* --- rules ------------------------------------------------------------------------------------------ */

static void held_free(struct held *h)
{
	if (!h)
		return;
	closep(&h->tools);
	free(h);
}

static void held_freep(struct held **h)
{
	held_free(*h);
}

/* Sealed, so that what was sent once never changes under its reader. */
static int keep_tools(const char *tools, size_t len, int *ret)
{
	CLEANUP(closep) int fd = memfd_create("tools", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t at = 0;

	if (fd < 0)
		return -errno;
	while (at < len) {
		ssize_t n = write(fd, tools + at, len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int relay_set_rule(struct relay *r, const struct relay_rule *rule, const char *tools, size_t len)
{
	CLEANUP(held_freep) struct held *h = NULL;
	int e = relay_rule_check(rule);

	if (e)
		return e;
	if (tools && len > RELAY_TOOLS_MAX)
		return -E2BIG;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->rule = *rule;
	h->tools = -1;
	e = tools ? keep_tools(tools, len, &h->tools) : 0;
	if (e)
		return e;
	held_free(r->held[rule->server]);
	r->held[rule->server] = TAKE_PTR(h);
	r->todo[rule->server] = TODO_RULE;
	return 0;
}

void relay_drop_rule(struct relay *r, uint32_t server)
{
	if (server >= SG_SERVERS_MAX || !r->held[server])
		return;
	held_free(TAKE_PTR(r->held[server]));
	r->todo[server] = TODO_DROP;
}

/* --- the caller's side ------------------------------------------------------------------------------- */

int relay_new(const struct relay_spec *spec, struct relay **ret)
{
	CLEANUP(relay_freep) struct relay *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->program.fd = -1;
	r->line = r->listen[0] = r->listen[1] = -1;
	r->stats = spec->stats;
	r->owner = spec->owner;
	r->origins = fcntl(*spec->origins, F_DUPFD_CLOEXEC, 0);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->origins < 0 || r->epoll_fd < 0)
		return -errno;
	e = listen_all(r);
	if (!e)
		e = watch_listeners(r, true);
	if (e)
		return e;
	program_open(&r->program, NAME, USER_NUMBER, spec->path);
	*ret = TAKE_PTR(r);
	return 0;
}

void relay_free(struct relay *r)
{
	int unused;

	if (!r)
		return;
	(void)end_process(r);
	(void)program_reaped(&r->zombie, &unused);
	for (uint32_t i = 0; i < SG_SERVERS_MAX; i++)
		held_free(r->held[i]);
	program_close(&r->program);
	closep(&r->origins);
	closep(&r->listen[0]);
	closep(&r->listen[1]);
	closep(&r->epoll_fd);
	free(r);
}

int relay_fd(const struct relay *r)
{
	return r->epoll_fd;
}

static bool has_todo(const struct relay *r)
{
	for (uint32_t i = 0; i < SG_SERVERS_MAX; i++)
		if (r->todo[i] != TODO_NOTHING)
			return true;
	return false;
}

uint64_t relay_due_ns(const struct relay *r)
{
	if (r->line < 0)
		return r->again_ns;
	if (r->greeted && !r->blocked && (!r->ready || has_todo(r)))
		return 0;
	return r->heard_ns + SILENT_NS;
}

static void suspect(struct relay *r, uint64_t now)
{
	if (r->suspect) {
		died(r, r->greeted ? "it hangs" : "it does not greet");
		return;
	}
	r->suspect = true;
	r->heard_ns = now - SILENT_NS + SUSPECT_NS;
}

void relay_run(struct relay *r)
{
	uint64_t now;

	for (int i = 0; i < READS_MAX && r->line >= 0 && listen_once(r); i++)
		;
	now = clock_boot_ns();
	if (r->line >= 0 && now >= r->heard_ns + SILENT_NS)
		suspect(r, now);
	if (r->line >= 0 && r->greeted)
		tell(r);
	if (r->line < 0 && now >= r->again_ns)
		begin_process(r);
	if (r->line < 0)
		hang_up(r);
}

void relay_ports(const struct relay *r, uint16_t *ret_v4, uint16_t *ret_v6)
{
	*ret_v4 = r->port[0];
	*ret_v6 = r->port[1];
}

bool relay_up(const struct relay *r)
{
	return r->ready;
}

const char *relay_why(const struct relay *r)
{
	return r->why;
}

pid_t relay_pid(const struct relay *r)
{
	return r->pid;
}

uid_t relay_user(const struct relay *r)
{
	return r->program.user;
}
