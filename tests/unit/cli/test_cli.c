/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The whole program against a daemon that says what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/bpf.h>

#include "cli/command.h"
#include "codec/messages.h"

#define WORDS_MAX 12
#define HEAD_OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

struct fixture {
	char dir[64];
	char socket[100];
	char pins[128];
	char state[128];
	int listener;
	pid_t daemon;
	char request[4096]; /* what it got */
	char out[65536];
	char err[8192];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/sg-test-cli-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->socket, sizeof(f->socket), "%s/api.sock", f->dir);
	snprintf(f->pins, sizeof(f->pins), "%s/pins", f->dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->socket);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(f->listener, 8), 0);
	setenv("SWITCHGEAR_SOCKET", f->socket, 1);
	setenv("SWITCHGEAR_PIN_DIR", f->pins, 1);
	snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	setenv("SWITCHGEAR_STATE_DIR", f->state, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->listener);
	unlink(f->socket);
	rmdir(f->pins);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* Reads one request and answers, in a process of its own; the request goes to a pipe. */
static void serve(struct fixture *f, const char *answer, int *ret_pipe)
{
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	f->daemon = fork();
	assert_true(f->daemon >= 0);
	if (f->daemon == 0) {
		int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
		size_t len = 0;
		ssize_t n;

		/* The client waits for the answer: what it sends first is whole when it pauses. */
		do {
			n = recv(fd, f->request + len, sizeof(f->request) - len - 1,
				 len ? MSG_DONTWAIT : 0);
			len += n > 0 ? (size_t)n : 0;
		} while (n > 0);
		if (write(pair[1], f->request, len) < 0)
			_exit(1);
		for (const char *p = answer; *p; p++) /* torn as far as possible */
			if (send(fd, p, 1, MSG_NOSIGNAL) < 0)
				_exit(1);
		close(fd);
		_exit(0);
	}
	close(pair[1]);
	*ret_pipe = pair[0];
}

static void slurp(int fd, char *out, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, out + len, size - len - 1)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fd);
}

/* The program's exit status; its output is in f->out and f->err. */
static int run(struct fixture *f, const char *const *words)
{
	char *argv[WORDS_MAX + 2] = { (char *)(uintptr_t) "switchgear" };
	char out_path[128];
	char err_path[128];
	int status = 0;
	int out;
	int err;
	pid_t pid;

	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)words[i];
	snprintf(out_path, sizeof(out_path), "%s/out", f->dir);
	snprintf(err_path, sizeof(err_path), "%s/err", f->dir);
	out = open(out_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	err = open(err_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(out >= 0 && err >= 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		exit(cli_run(argv));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	lseek(out, 0, SEEK_SET);
	lseek(err, 0, SEEK_SET);
	slurp(out, f->out, sizeof(f->out));
	slurp(err, f->err, sizeof(f->err));
	unlink(out_path);
	unlink(err_path);
	return WEXITSTATUS(status);
}

#define RUN(f, ...)                                                           \
	({                                                                    \
		static const char *const words_[WORDS_MAX] = { __VA_ARGS__ }; \
		run(f, words_);                                               \
	})

/* The same with a daemon that gives this answer. */
static int ask(struct fixture *f, const char *answer, const char *const *words)
{
	int status;
	int pipe;

	serve(f, answer, &pipe);
	status = run(f, words);
	slurp(pipe, f->request, sizeof(f->request));
	waitpid(f->daemon, NULL, 0);
	return status;
}

#define ASK(f, answer, ...)                                                   \
	({                                                                    \
		static const char *const words_[WORDS_MAX] = { __VA_ARGS__ }; \
		ask(f, answer, words_);                                       \
	})

#define HAS(text, part)                                        \
	do {                                                   \
		if (!strstr(text, part))                       \
			print_error("missing in: %s\n", text); \
		assert_non_null(strstr(text, part));           \
	} while (0)
#define HAS_NOT(text, part) assert_null(strstr(text, part))

/* --- documents --------------------------------------------------------------- */

static void make_status(struct buf *answer)
{
	char degraded[] = "no XDP on eth0\033[2J: name another --interface";
	char *sentences[] = { degraded };
	struct status_endpoint endpoints[] = { { .address = "127.0.0.1", .port = 3001 },
					       { .address = "::1", .port = 3001 },
					       { .address = "10.0.0.0/8" } };
	struct status_server servers[2];
	struct status s = { .abi = 1,
			    .version = "0.1.0",
			    .pid = 77,
			    .uptime_ns = 3600000000000ULL,
			    .selftest = "ok",
			    .degraded = sentences,
			    .n_degraded = 1,
			    .lost_events = 3,
			    .servers = servers,
			    .n_servers = 2 };

	status_server_init(&servers[0]);
	snprintf(servers[0].name, sizeof(servers[0].name), "%s", "sea\nrch");
	servers[0].state = SG_OPEN;
	servers[0].verdict = VERDICT_REFUSE;
	servers[0].breaker.open_remaining_ns = 23000000000ULL;
	servers[0].endpoints = endpoints;
	servers[0].n_endpoints = 3;
	servers[0].counters.requests = 1234;
	servers[0].counters.refused = 2;
	servers[0].counters.r5xx = 5;
	servers[0].counters.denied = 9;
	servers[0].latency.p50 = 1.5;
	status_server_init(&servers[1]);
	snprintf(servers[1].name, sizeof(servers[1].name), "%s", "files");
	servers[1].quarantined = true;
	snprintf(servers[1].quarantine.reason, sizeof(servers[1].quarantine.reason), "%s",
		 "poisoned");
	servers[1].quarantine.until_wall_ns = STATUS_NEVER;
	*answer = BUF(65536);
	buf_puts(answer, HEAD_OK);
	assert_int_equal(status_encode(&s, URL_MASKED, answer), 0);
}

static void status_is_a_table(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_done) struct buf answer = { 0 };

	make_status(&answer);
	assert_int_equal(ASK(f, buf_str(&answer), "status"), EXIT_DONE);
	HAS(f->request, "GET /v1/status HTTP/1.1\r\n");
	HAS(f->out, "switchgeard 0.1.0, pid 77, mode enforce, up 1h");
	HAS(f->out, "selftest: ok\n");
	HAS(f->out, "DEGRADED: no XDP on eth0\\x1b[2J: name");
	HAS(f->out, "lost events: 3\n");
	HAS(f->out, "NAME        STATE");
	HAS(f->out, "sea\\x0arch  open, 23 s left");
	HAS(f->out, "refuse");
	HAS(f->out, "1234     7       9  1.50 ms");
	HAS(f->out, "127.0.0.1:3001 [::1]:3001 +1\n");
	HAS(f->out, "poisoned");
	HAS_NOT(f->out, "\033");
	assert_string_equal(f->err, "");
}

static void json_is_the_daemons_own(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_done) struct buf answer = { 0 };

	make_status(&answer);
	assert_int_equal(ASK(f, buf_str(&answer), "--json", "status"), EXIT_DONE);
	assert_int_equal(strncmp(f->out, buf_str(&answer) + strlen(HEAD_OK), strlen(f->out) - 1),
			 0);
	assert_int_equal(f->out[strlen(f->out) - 1], '\n');
	assert_int_equal(ASK(f, buf_str(&answer), "complete"), EXIT_DONE);
	assert_string_equal(f->out, "files\n");
}

static void show_has_all_counters(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_done) struct buf answer = { 0 };
	struct status_server s;

	status_server_init(&s);
	snprintf(s.name, sizeof(s.name), "%s", "a/b c");
	s.counters.bad_responses = 4711;
	s.counters.dropped_packets = 815;
	s.counters.untrusted = 1234;
	s.counters.unrecorded = 5678;
	s.breaker.failure_rate = 0.25;
	answer = BUF(65536);
	buf_puts(&answer, HEAD_OK);
	assert_int_equal(status_server_encode(&s, URL_MASKED, &answer), 0);
	assert_int_equal(ASK(f, buf_str(&answer), "show", "a/b c"), EXIT_DONE);
	HAS(f->request, "GET /v1/servers/a%2Fb%20c HTTP/1.1\r\n");
	HAS(f->out, "4711\n");
	HAS(f->out, "815\n");
	HAS(f->out, "untrusted          1234\n");
	HAS(f->out, "unrecorded         5678\n");
	HAS(f->out, "25.0 %\n");
	HAS(f->out, "- (too few calls)");
}

static void errors_become_exit_statuses(void **state)
{
	static const char not_found[] =
		"HTTP/1.1 404 x\r\n\r\n{\"error\":{\"code\":\"not_found\",\"message\":\"there is no "
		"server \\\"serch\\\"\",\"hint\":\"did you mean \\\"search\\\"?\"}}";
	static const char forbidden[] =
		"HTTP/1.1 403 x\r\n\r\n{\"error\":{\"code\":\"not_permitted\",\"message\":\"only root\","
		"\"hint\":\"\"}}";
	struct fixture *f = *state;

	assert_int_equal(ASK(f, not_found, "show", "serch"), EXIT_FAILED);
	HAS(f->err, "there is no server \"serch\": did you mean \"search\"?\n");
	assert_string_equal(f->out, "");
	assert_int_equal(ASK(f, forbidden, "--json", "release", "x"), EXIT_NOT_PERMITTED);
	HAS(f->err, "switchgear: only root\n");
	HAS(f->out, "{\"error\":{\"code\":\"not_permitted\"");
	assert_int_equal(ASK(f, "HTTP/1.1 500 x\r\n\r\nboom", "status"), EXIT_FAILED);
	HAS(f->err, "HTTP status 500");
	assert_int_equal(ASK(f, HEAD_OK "{}", "reset", "x"), EXIT_FAILED);
	HAS(f->err, "not understood");
	assert_int_equal(ASK(f, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "status"),
			 EXIT_UNREACHABLE);
	HAS(f->err, "no whole answer");
	assert_int_equal(RUN(f, "--socket", "/nonexistent", "status"), EXIT_UNREACHABLE);
	HAS(f->err, "no daemon answers on /nonexistent");
	assert_int_equal(RUN(f, "nonsense"), EXIT_USAGE);
	assert_int_equal(RUN(f, NULL), EXIT_USAGE);
	assert_int_equal(RUN(f, "force", "a", "clsoed"), EXIT_USAGE);
	HAS(f->err, "did you mean \"closed\"?");
	assert_int_equal(RUN(f, "--version"), EXIT_DONE);
	assert_int_equal(RUN(f, "help", "force"), EXIT_DONE);
	HAS(f->out, "closed|shadow|disabled");
	assert_int_equal(RUN(f, "help", "nonsense"), EXIT_USAGE);
}

static void quarantine_reports_survivors(void **state)
{
	static const char clean[] = HEAD_OK
		"{\"server\":\"a\",\"killed\":12,\"survivors\":0,\"busy\":0,\"elapsed_ms\":3.5}";
	static const char one[] = HEAD_OK
		"{\"server\":\"a\",\"killed\":1,\"survivors\":1,\"busy\":0,\"elapsed_ms\":3.5}";
	struct fixture *f = *state;

	assert_int_equal(ASK(f, clean, "quarantine", "a", "--reason", "x \"y\"", "--for", "10m"),
			 EXIT_DONE);
	HAS(f->request, "POST /v1/servers/a/quarantine HTTP/1.1\r\n");
	HAS(f->request, "{\"reason\":\"x \\\"y\\\"\",\"for\":600");
	HAS(f->out, "a: quarantined, 12 connections killed, 0 survivors");
	assert_int_equal(ASK(f, one, "quarantine", "a", "--reason", "x"), EXIT_FAILED);
	HAS(f->out, "1 connection killed, 1 survivor ");
	HAS(f->err, "could not be killed");
	HAS(f->err, "the quarantine is set, but 1 connection could not be killed: quarantine it");
	HAS(f->err, "ss -K dst");
	assert_int_equal(ASK(f, one, "quarantine", "a", "--reason", "x", "--json"), EXIT_FAILED);
	HAS(f->out, "\"survivors\":1");
}

/* What nobody counted is not 0, and a success only with a number. */
static void quarantine_reports_isolation(void **state)
{
	static const char isolated[] = HEAD_OK
		"{\"server\":\"a\",\"killed\":1,\"survivors\":0,\"busy\":0,\"elapsed_ms\":1,"
		"\"isolation\":{\"state\":\"isolated\",\"cgroup\":\"/x\",\"processes\":2,"
		"\"cut\":3,\"survivors\":0,\"frozen\":true,\"forced\":true}}";
	static const char shared[] = HEAD_OK
		"{\"server\":\"a\",\"killed\":1,\"survivors\":0,\"busy\":0,\"elapsed_ms\":1,"
		"\"isolation\":{\"state\":\"refused\",\"cgroup\":\"/x\",\"cut\":1,"
		"\"survivors\":0,\"why\":\"others are in it: sh (pid 7)\"}}";
	static const char elsewhere[] = HEAD_OK
		"{\"server\":\"a\",\"killed\":1,\"survivors\":0,\"busy\":0,\"elapsed_ms\":1}";
	struct fixture *f = *state;

	assert_int_equal(ASK(f, isolated, "quarantine", "a", "--reason", "x", "--freeze",
			     "--force"),
			 EXIT_DONE);
	HAS(f->request, "\"freeze\":true,\"force\":true");
	HAS(f->out, "a: cgroup /x isolated and frozen by force, 2 processes, 3 connections cut, 0 "
		    "survivors");
	assert_int_equal(ASK(f, shared, "quarantine", "a", "--reason", "x"), EXIT_DONE);
	HAS_NOT(f->request, "freeze");
	HAS(f->out, "a: its processes on this host are NOT isolated: others are in it: sh (pid 7) "
		    "(cgroup /x)");
	HAS(f->out, "1 connection of its own cut");
	assert_int_equal(ASK(f, shared, "quarantine", "a", "--reason", "x", "--freeze"),
			 EXIT_FAILED);
	HAS(f->err, "--force isolates whoever is in");
	assert_int_equal(ASK(f, elsewhere, "quarantine", "a", "--reason", "x"), EXIT_DONE);
	assert_int_equal(ASK(f, elsewhere, "quarantine", "a", "--reason", "x", "--force"),
			 EXIT_FAILED);
	HAS(f->err, "none was found on this host");
}

static void bypass_takes_a_time(void **state)
{
	static const char on[] = HEAD_OK "{\"on\":true,\"until\":\"2026-01-02T03:04:05Z\"}";
	static const char off[] = HEAD_OK "{\"on\":false,\"until\":null,\"unchanged\":true}";
	struct fixture *f = *state;

	assert_int_equal(RUN(f, "bypass", "on"), EXIT_USAGE);
	assert_int_equal(RUN(f, "bypass", "maybe", "--for", "1m"), EXIT_USAGE);
	assert_int_equal(ASK(f, on, "bypass", "on", "--for", "1m", "--reason", "fire"), EXIT_DONE);
	HAS(f->request, "POST /v1/bypass HTTP/1.1\r\n");
	HAS(f->request, "{\"reason\":\"fire\",\"for\":60");
	HAS(f->request, "\"on\":true}");
	HAS(f->out, "bypass: nothing is refused until 2026-01-02");
	assert_int_equal(ASK(f, off, "bypass", "off"), EXIT_DONE);
	HAS(f->request, "{\"on\":false}");
	HAS(f->out, "bypass: was off");
}

static void packets_come_as_they_are(void **state)
{
	static const char answer[] = HEAD_OK "\n\r pack\x01\x02 ets";
	struct fixture *f = *state;

	assert_int_equal(ASK(f, answer, "capture", "a b"), EXIT_DONE);
	HAS(f->request, "GET /v1/capture?follow=0&server=a%20b HTTP/1.1\r\n");
	assert_string_equal(f->out, "\n\r pack\x01\x02 ets");
	assert_int_equal(ASK(f, answer, "capture", "a", "--follow", "-w", "/dev/null"), EXIT_DONE);
	HAS(f->request, "follow=1");
	assert_string_equal(f->out, "");
	assert_int_equal(RUN(f, "capture", "a", "--json"), EXIT_USAGE);
	assert_int_equal(RUN(f, "capture", "a", "-w", "/nowhere/at/all"), EXIT_FAILED);
	HAS(f->err, "cannot write to /nowhere/at/all");
}

static void quarantine_reports_unknown_survivors(void **state)
{
	static const char unknown[] = HEAD_OK
		"{\"server\":\"a\",\"killed\":3,\"survivors\":null,\"busy\":null,"
		"\"elapsed_ms\":3.5,\"error\":\"no\\u001bmemory\"}";
	static const char silent[] = HEAD_OK "{\"server\":\"a\",\"killed\":0}";
	struct fixture *f = *state;

	assert_int_equal(ASK(f, unknown, "quarantine", "a", "--reason", "x"), EXIT_FAILED);
	HAS(f->out, "a: quarantined, 3 connections killed, survivors unknown: no\\x1bmemory (");
	HAS_NOT(f->out, "0 survivors");
	HAS(f->err, "the quarantine is set, but connections may live on: they could not be "
		    "counted (no\\x1bmemory): quarantine it again");
	assert_int_equal(ASK(f, unknown, "quarantine", "a", "--reason", "x", "--json"),
			 EXIT_FAILED);
	HAS(f->out, "\"survivors\":null");
	HAS(f->err, "could not be counted");
	assert_int_equal(ASK(f, silent, "quarantine", "a", "--reason", "x"), EXIT_FAILED);
	HAS(f->out, "a: quarantined, 0 connections killed, survivors unknown (");
}

static void orders_say_what_they_did(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ASK(f, HEAD_OK "{\"server\":\"a\",\"state\":\"forced_open\"}", "trip", "a",
			     "--for", "90s"),
			 EXIT_DONE);
	HAS(f->request, "POST /v1/servers/a/trip ");
	HAS(f->request, "{\"for\":90");
	HAS(f->out, "a: tripped, now forced_open for 1m 30s\n");
	assert_int_equal(ASK(f, HEAD_OK "{\"server\":\"a\",\"state\":\"shadow\"}", "force", "a",
			     "shadow"),
			 EXIT_DONE);
	HAS(f->request, "{\"to\":\"shadow\"}");
	HAS(f->out, "a: forced, now shadow\n");
	assert_int_equal(ASK(f, HEAD_OK "{\"server\":\"a\",\"state\":\"closed\"}", "release", "a",
			     "--json"),
			 EXIT_DONE);
	HAS(f->out, "{\"server\":\"a\",\"state\":\"closed\"}\n");
	assert_int_equal(ASK(f,
			     HEAD_OK "{\"server\":\"a\",\"state\":\"closed\",\"unchanged\":true}",
			     "release", "a", "--reason", "why"),
			 EXIT_DONE);
	HAS(f->request, "{\"reason\":\"why\"}");
	HAS(f->out, "a: is not in quarantine\n");
	assert_int_equal(ASK(f,
			     HEAD_OK "{\"server\":\"a\",\"state\":\"closed\",\"unchanged\":true}",
			     "reset", "a"),
			 EXIT_DONE);
	HAS(f->out, "a: has nothing to reset\n");
	assert_int_equal(ASK(f, HEAD_OK "{\"server\":\"a\",\"state\":\"forced_open\"}", "trip", "a",
			     "--reason", "why", "--for", "5"),
			 EXIT_DONE);
	HAS(f->request, "{\"reason\":\"why\",\"for\":5.0}");
}

static void events_are_lines(void **state)
{
	static const char stream[] =
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"73\r\n{\"t\":1,\"time\":\"2026-01-02T03:04:05Z\",\"server\":\"a\",\"event\":"
		"\"transition\",\"from\":\"closed\",\"to\":\"open\",\"reason\":\"consec\r\n"
		"49\r\nutive\",\"failure_rate\":null,\"slow_rate\":null,\"calls\":5,"
		"\"open_seconds\":30}\n\r\n"
		"12\r\n{\"event\":\"newer\"}\n\r\n0\r\n\r\n";
	struct fixture *f = *state;

	assert_int_equal(ASK(f, stream, "events", "--since", "1h", "--server", "a b"), EXIT_DONE);
	HAS(f->request, "GET /v1/events?follow=0&calls=0&since=3600.000000000&server=a%20b HTTP");
	HAS(f->out,
	    "2026-01-02T03:04:05.000Z  transition  a  closed -> open (consecutive, 5 calls), "
	    "for 30 s\n");
	assert_int_equal(ASK(f, stream, "events", "--json", "--follow", "--calls"), EXIT_DONE);
	HAS(f->request, "follow=1&calls=1 ");
	HAS(f->out, "\"reason\":\"consecutive\"");
	HAS(f->out, "}\n{\"event\":\"newer\"}\n");
}

static void events_tell_of_survivors(void **state)
{
	static const char lines[] = HEAD_OK
		"{\"time\":\"2026-01-02T03:04:05Z\",\"server\":\"a\",\"event\":\"kill\","
		"\"killed\":9,\"survivors\":1,\"busy\":2}\n"
		"{\"time\":\"2026-01-02T03:04:05Z\",\"server\":\"a\",\"event\":\"kill\","
		"\"killed\":9,\"survivors\":null,\"busy\":null,\"error\":\"x\"}\n"
		"{\"time\":\"2026-01-02T03:04:05Z\",\"server\":\"a\",\"event\":\"quarantine\","
		"\"reason\":\"why\",\"until\":null,\"by\":\"root\",\"killed\":9,"
		"\"survivors\":null,\"busy\":null,\"error\":\"x\"}\n";
	struct fixture *f = *state;

	assert_int_equal(ASK(f, lines, "events"), EXIT_DONE);
	HAS(f->out, "kill        a  9 killed, 2 busy, 1 survivor\n");
	HAS(f->out, "kill        a  9 killed, survivors unknown: x\n");
	HAS(f->out, "quarantine  a  quarantined: why, 9 killed, survivors unknown: x (by root)\n");
}

static void selftest_and_metrics(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ASK(f, HEAD_OK "{\"ok\":true,\"detail\":\"\",\"elapsed_ms\":2}",
			     "selftest"),
			 EXIT_DONE);
	HAS(f->request, "POST /v1/selftest ");
	HAS(f->out, "selftest ok (");
	assert_int_equal(ASK(f, HEAD_OK "{\"ok\":false,\"detail\":\"no bite\",\"elapsed_ms\":2}",
			     "selftest", "--json"),
			 EXIT_FAILED);
	HAS(f->err, "the selftest failed: no bite\n");
	HAS(f->out, "\"ok\":false");
	assert_int_equal(ASK(f, HEAD_OK "# TYPE a gauge\na 1\n", "metrics"), EXIT_DONE);
	assert_string_equal(f->out, "# TYPE a gauge\na 1\n");
	assert_int_equal(RUN(f, "metrics", "--json"), EXIT_USAGE);
	HAS(f->err, "metrics have one format, the text that Prometheus reads\n");
	HAS(f->out, "{\"error\":{\"code\":\"usage\",");
}

/* --- detach ------------------------------------------------------------------ */

static void detach_asks_the_daemon(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->pins, 0700), 0);
	assert_int_equal(ASK(f, HEAD_OK "{\"detached\":true}", "detach"), EXIT_DONE);
	HAS(f->request, "POST /v1/detach ");
	HAS(f->out, "detached");
	assert_int_equal(access(f->pins, F_OK), 0); /* the daemon's business */
	assert_int_equal(ASK(f, "HTTP/1.1 403 x\r\n\r\n{\"error\":{\"message\":\"only root\"}}",
			     "detach"),
			 EXIT_NOT_PERMITTED);
}

static void detach_alone_touches_only_bpffs(void **state)
{
	struct fixture *f = *state;
	char path[160];

	assert_int_equal(RUN(f, "--socket", "/nonexistent", "detach"), EXIT_DONE);
	HAS(f->out, "nothing was attached");
	assert_int_equal(mkdir(f->pins, 0700), 0);
	snprintf(path, sizeof(path), "%s/file", f->pins);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(RUN(f, "--socket", "/nonexistent", "detach"), EXIT_FAILED);
	HAS(f->err, "not on a BPF file system");
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
}

static int map_pin(const struct fixture *f, const char *pin, const char *name, uint32_t size,
		   uint32_t abi)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = size, .max_entries = 1
	};
	uint8_t value[256] = { 0 };
	uint32_t zero = 0;
	char path[256];
	int fd;

	snprintf(attr.map_name, sizeof(attr.map_name), "%s", name);
	fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -1;
	memset(&attr, 0, sizeof(attr));
	memcpy(value + 16, &abi, sizeof(abi));
	attr.map_fd = (uint32_t)fd;
	attr.key = (uintptr_t)&zero;
	attr.value = (uintptr_t)value;
	if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)))
		return -1;
	memset(&attr, 0, sizeof(attr));
	snprintf(path, sizeof(path), "%s/v1/%s", f->pins, pin);
	attr.pathname = (uintptr_t)path;
	attr.bpf_fd = (uint32_t)fd;
	return syscall(SYS_bpf, BPF_OBJ_PIN, &attr, sizeof(attr)) ? -1 : close(fd);
}

static bool there(const struct fixture *f, const char *pin)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/v1/%s", f->pins, pin);
	return !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* In a mount namespace of its own, with a BPF file system of its own. */
static int on_bpffs(struct fixture *f)
{
	char path[256];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mkdir(f->pins, 0700) < 0 || mount("bpf", f->pins, "bpf", 0, NULL) < 0)
		return 77;
	snprintf(path, sizeof(path), "%s/v1", f->pins);
	setenv("SWITCHGEAR_PIN_DIR", path, 1);
	if (mkdir(path, 0700) < 0 || map_pin(f, "stats", "stats", 8, 0) ||
	    map_pin(f, "flows", "theirs", 8, 0) || map_pin(f, "others", "others", 8, 0))
		return 1;
	/* no cfg: nothing is known to be ours */
	if (RUN(f, "--socket", "/nonexistent", "detach") != EXIT_FAILED ||
	    !strstr(f->err, "nothing in it is known to be Switchgear's") || !there(f, "stats"))
		return 2;
	/* another tool's map of that name, and one that is too small */
	if (map_pin(f, "cfg", "config", 48, SG_ABI) ||
	    RUN(f, "--socket", "/nonexistent", "detach") != EXIT_FAILED || !there(f, "stats"))
		return 3;
	snprintf(path, sizeof(path), "%s/v1/cfg", f->pins);
	if (unlink(path) || map_pin(f, "cfg", "cfg", 20, SG_ABI + 1) ||
	    RUN(f, "--socket", "/nonexistent", "detach") != EXIT_FAILED ||
	    !strstr(f->err, "are of layout 3 of Switchgear, and this is layout 2") ||
	    !there(f, "stats") || !there(f, "cfg"))
		return 4;
	/* ours, of an earlier version with this number */
	if (unlink(path) || map_pin(f, "cfg", "cfg", 20, SG_ABI))
		return 5;
	snprintf(path, sizeof(path), "%s/v1/sg_state", f->pins); /* neither map nor link */
	if (symlink("target", path) < 0)
		return 6;
	if (RUN(f, "--socket", "/nonexistent", "--json", "detach") != EXIT_DONE)
		return 7;
	if (!strstr(f->out, "{\"detached\":true,\"daemon\":false,\"removed\":2,\"kept\":["))
		return 8;
	for (const char *const *name = (const char *const[]){ "flows", "others", "sg_state", NULL };
	     *name; name++)
		if (!there(f, *name) || !strstr(f->out, *name))
			return 9;
	return there(f, "stats") || there(f, "cfg") ? 10 : 0;
}

static void detach_alone_removes_what_is_ours(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(on_bpffs(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	(void)f;
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[] = { (char *)(uintptr_t) "switchgear", (char *)(uintptr_t) "help",
				 NULL };
		int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(full, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		_exit(cli_run(argv));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILED);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(status_is_a_table),
		TEST(json_is_the_daemons_own),
		TEST(show_has_all_counters),
		TEST(errors_become_exit_statuses),
		TEST(quarantine_reports_survivors),
		TEST(quarantine_reports_unknown_survivors),
		TEST(quarantine_reports_isolation),
		TEST(bypass_takes_a_time),
		TEST(packets_come_as_they_are),
		TEST(orders_say_what_they_did),
		TEST(events_are_lines),
		TEST(events_tell_of_survivors),
		TEST(selftest_and_metrics),
		TEST(detach_asks_the_daemon),
		TEST(detach_alone_touches_only_bpffs),
		TEST(detach_alone_removes_what_is_ours),
		TEST(output_that_cannot_be_written_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
