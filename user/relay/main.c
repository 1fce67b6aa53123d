/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers agents in the place of MCP servers that are not available, or hands what they say on to
 * others. Started by the daemon, for its ends only (io/relay.h), it gives up its rights first.
 * Nothing that agents say is kept or logged.
 * usage: switchgear-relay SOCKET PARENT USER
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "relay/agent.h"
#include "relay/origins.h"
#include "sandbox/sandbox.h"

#define SUB "relay"
#define FILES_MAX 4096U /* an agent, a target each, and a list of tools of each server */
#define FILES_BESIDE (SG_SERVERS_MAX + 64U)
#define MEMORY_MAX (512UL << 20)
#define ACCEPTS_MAX 64         /* in one go: others want to run too */
#define READS_MAX 64           /* the same */
#define BREATH_NS 100000000ULL /* no connection is taken for so long, after one could not be */
#define EXIT_USAGE 2
#define EXIT_SANDBOX 3
#define EXIT_ALONE 4 /* the daemon is gone, or says what nobody understands */

struct relay {
	struct env env;
	struct agents agents;
	struct origins origins;
	bool absent[2]; /* there is no such listener */
	bool ready;
	struct loop_source *listen[2];
	struct loop_timer *breath;
	uint32_t sessions[SG_SERVERS_MAX]; /* as last told */
	struct wire heard;
};

static const int listeners[] = { RELAY_FD_LISTEN4, RELAY_FD_LISTEN6 };

/* --- to the daemon ----------------------------------------------------------------------------- */

static void trouble(const char *what, int r)
{
	char text[RELAY_TROUBLE_MAX];
	struct wire_head head = { .kind = RELAY_WIRE_TROUBLE };

	snprintf(text, sizeof(text), "%.80s: %.60s", what, strerror(-r));
	head.len = (uint32_t)strlen(text) + 1;
	(void)!wire_send(RELAY_FD_LINE, &head, text, -1); /* what is lost is told the next time */
}

static int tell_one(struct relay *r, uint32_t server, uint32_t sessions)
{
	const struct wire_head head = { .kind = RELAY_WIRE_STATS,
					.len = sizeof(struct relay_stats) };
	const struct rule *rule = r->env.rules.v[server];
	struct relay_stats s = r->env.stats[server];

	s.server = server;
	s.incarnation = rule ? rule->is.incarnation : s.incarnation;
	s.sessions = sessions;
	return wire_send(RELAY_FD_LINE, &head, &s, -1);
}

static void on_tell(void *data)
{
	const struct wire_head alive = { .kind = RELAY_WIRE_ALIVE };
	struct relay *r = data;
	uint32_t sessions[SG_SERVERS_MAX];
	uint64_t now = clock_boot_ns();

	loop_timer_set(r->env.tell, now + RELAY_ALIVE_NS);
	if (wire_send(RELAY_FD_LINE, &alive, NULL, -1))
		return; /* it is slow: the next time */
	sessions_count(r->env.sessions, now, sessions, SG_SERVERS_MAX);
	for (uint32_t i = 0; i < SG_SERVERS_MAX; i++) {
		if (!r->env.news[i] && sessions[i] == r->sessions[i])
			continue;
		if (tell_one(r, i, sessions[i]))
			return;
		r->env.news[i] = false;
		r->sessions[i] = sessions[i];
	}
}

/* --- connections --------------------------------------------------------------------------------- */

static void listen_on(struct relay *r, bool on)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->listen); i++)
		if (r->listen[i])
			loop_watch(r->listen[i], on, false);
}

static void on_breath(void *data)
{
	listen_on(data, true);
}

/* False: there is none for now. */
static bool accept_one(struct relay *r, int listener)
{
	CLEANUP(closep) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct sg_origin origin;

	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return false;
	if (fd < 0) {
		trouble("connections cannot be taken", -errno);
		listen_on(r, false);
		loop_timer_set(r->breath, clock_boot_ns() + BREATH_NS);
		return false;
	}
	/* whoever came by himself has no business here */
	if (!origins_find(&r->origins, fd, clock_boot_ns(), &origin) &&
	    rules_are_for(&r->env.rules, origin.server, origin.incarnation))
		agent_new(&r->agents, TAKE_FD(fd), origin.server, origin.incarnation);
	return true;
}

static void accept_all(struct relay *r, int listener)
{
	for (int i = 0; i < ACCEPTS_MAX && accept_one(r, listener); i++)
		;
}

static void on_listener4(void *data)
{
	accept_all(data, RELAY_FD_LISTEN4);
}

static void on_listener6(void *data)
{
	accept_all(data, RELAY_FD_LISTEN6);
}

/* --- from the daemon -------------------------------------------------------------------------------- */

static int hear_rule(struct relay *r, int *tools)
{
	struct relay_rule rule;
	int e;

	if (r->heard.head.len != sizeof(rule))
		return -EPROTO;
	memcpy(&rule, r->heard.data, sizeof(rule));
	e = rules_set(&r->env.rules, &rule, *tools);
	if (e == -ENOMEM) { /* the former one is wrong by now: nobody is served by it */
		trouble("a rule cannot be kept", e);
		rules_drop(&r->env.rules, rule.server);
	} else if (e) {
		return e;
	} else {
		*tools = -1;
		r->env.stats[rule.server].incarnation = rule.incarnation;
	}
	agents_retire(&r->agents, rule.server);
	return 0;
}

static int hear_drop(struct relay *r)
{
	uint32_t server = r->heard.head.what;

	if (server >= SG_SERVERS_MAX)
		return -EPROTO;
	rules_drop(&r->env.rules, server);
	agents_retire(&r->agents, server);
	return 0;
}

static int hear_ready(struct relay *r)
{
	static loop_fn *const fn[] = { on_listener4, on_listener6 };
	int e = 0;

	if (r->ready)
		return -EPROTO;
	r->ready = true;
	for (size_t i = 0; i < ARRAY_SIZE(listeners) && !e; i++)
		if (!r->absent[i])
			e = loop_add_fd(r->env.loop, listeners[i], fn[i], r, &r->listen[i]);
	loop_timer_set(r->env.tell, clock_boot_ns() + RELAY_ALIVE_NS);
	return e;
}

static int hear(struct relay *r, int *fd)
{
	switch (r->heard.head.kind) {
	case RELAY_WIRE_RULE:
		return hear_rule(r, fd);
	case RELAY_WIRE_DROP:
		return hear_drop(r);
	case RELAY_WIRE_READY:
		return hear_ready(r);
	default:
		return -EPROTO;
	}
}

static void on_line(void *data)
{
	struct relay *r = data;

	for (int i = 0; i < READS_MAX; i++) {
		CLEANUP(closep) int fd = -1;
		int e = wire_recv(RELAY_FD_LINE, MSG_DONTWAIT, &r->heard, &fd);

		if (e == -EAGAIN)
			return;
		if (!e || e == -ECONNRESET || e == -EPIPE) {
			loop_stop(r->env.loop, 0); /* it is not needed any more */
			return;
		}
		if (e < 0 || hear(r, &fd)) {
			loop_stop(r->env.loop, EXIT_ALONE);
			return;
		}
	}
}

/* --- its life ------------------------------------------------------------------------------------------ */

static size_t agents_max(void)
{
	struct rlimit l;
	size_t n;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= FILES_BESIDE + 2 * AGENTS_MAX)
		return AGENTS_MAX;
	n = l.rlim_cur > 2 * FILES_BESIDE ? l.rlim_cur - FILES_BESIDE : l.rlim_cur / 2;
	return n / 2;
}

/* What needs system calls that it gives up. */
static int prepare(struct relay *r)
{
	int e;

	/* before other descriptors have their numbers */
	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++)
		r->absent[i] = fcntl(listeners[i], F_GETFD) < 0;
	e = origins_open(&r->origins, RELAY_FD_ORIGINS);
	e = e ? e : loop_new(&r->env.loop);
	e = e ? e : sessions_new(&r->env.sessions);
	e = e ? e : loop_add_fd(r->env.loop, RELAY_FD_LINE, on_line, r, NULL);
	e = e ? e : loop_timer_new(r->env.loop, on_tell, r, &r->env.tell);
	return e ? e : loop_timer_new(r->env.loop, on_breath, r, &r->breath);
}

static int serve(struct relay *r)
{
	const struct wire_head head = { .kind = RELAY_WIRE_HELLO,
					.len = sizeof(SWITCHGEAR_VERSION) };
	int e;

	r->agents.env = &r->env;
	r->agents.max = agents_max();
	if (wire_send(RELAY_FD_LINE, &head, SWITCHGEAR_VERSION, -1))
		return EXIT_ALONE;
	e = loop_run(r->env.loop);
	agents_done(&r->agents);
	rules_done(&r->env.rules);
	sessions_free(r->env.sessions);
	loop_free(r->env.loop);
	return e < 0 ? EXIT_ALONE : e;
}

int main(int argc, char **argv)
{
	static struct relay relay;
	struct sandbox sandbox = { .role = SANDBOX_TAKES,
				   .files = FILES_MAX,
				   .memory = MEMORY_MAX };
	uint64_t number = 0;
	uint64_t parent = 0;
	uint64_t user = 0;
	const char *what = "it cannot begin";
	int r;

	if (argc != 4 || parse_u64(argv[1], RELAY_FD_LINE, RELAY_FD_LINE, &number) ||
	    parse_u64(argv[2], 1, INT32_MAX, &parent) ||
	    parse_u64(argv[3], 1, UINT32_MAX - 1, &user)) {
		fprintf(stderr, "switchgear-relay: a part of switchgeard, which starts it\n");
		return EXIT_USAGE;
	}
	prctl(PR_SET_NAME, "sg-relay"); /* else that of a descriptor, by which it was started */
	signal(SIGINT, SIG_IGN);        /* Ctrl-C is the daemon's business */
	signal(SIGPIPE, SIG_IGN);
	close_range(RELAY_FD_END, ~0U, 0);
	sandbox.user = (uid_t)user;
	sandbox.parent = (pid_t)parent;
	r = prepare(&relay);
	if (!r)
		r = sandbox_enter(&sandbox, &what);
	if (r) {
		log_error(SUB, "%s: %s; no agent is answered, or sent to another server", what,
			  strerror(-r));
		return EXIT_SANDBOX;
	}
	return serve(&relay);
}
