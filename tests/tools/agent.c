/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A client that says exactly what it saw: one line per call with result, errno,
 * HTTP status, milliseconds and where it failed. Besides calls one after
 * another it can hold a pool of connections and report how each ended, start
 * many connects at the same moment, and follow commands from stdin.
 */
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>

#include "answer.h"
#include "dial.h"
#include "tunnel.h"

#define STEP_CONNS 256
#define CONCURRENT_MAX 20000

static struct {
	struct endpoint to;
	struct endpoint from;
	enum mode mode;
	const char *method;
	const char *path;
	const char *rpc;
	const char *host;
	const char *device;
	const char *leave;
	const char *tunnel;
	FILE *body;
	unsigned int mark;
	bool keepalive;
	bool connect_only;
	bool busy;
	bool md5_keys;
	bool md5;
	int ttl;
	int syncnt;
	double timeout_ms;
	double interval_ms;
	double hold_ms;
	char request[4096];
	size_t request_len;
} opt = { .method = "POST",
	  .path = "/mcp",
	  .rpc = "tools/call",
	  .host = "agent.test",
	  .timeout_ms = 5000,
	  .hold_ms = 60000 };

struct outcome {
	const char *result; /* ok error eof truncated bad timeout */
	const char *stage;  /* connect send recv */
	int error;
	int status;
	int port;
};

static const char usage[] =
	"usage: agent --connect ADDR:PORT [--mode MODE] [--post|--get|--delete] [--path PATH]\n"
	"             [--rpc METHOD] [--count N] [--keepalive] [--interval MS] [--timeout MS]\n"
	"             [--bind ADDR:PORT] [--device NAME] [--connect-only] [--body FILE] [--mark N]\n"
	"             [--md5-keys] [--md5] [--ttl N] [--syncnt N] [--tunnel HOST:PORT]\n"
	"             [--host NAME]   calls one after another\n"
	"       agent ... --concurrent N          N calls started at the same moment\n"
	"       agent ... --pool N [--busy] [--hold MS]   N connections, then how each ended\n"
	"       agent ... --step                  commands from stdin (see below)\n"
	"--md5-keys fills the option memory of each socket first; --md5 signs what goes to the\n"
	"destination, which knows no key. --leave NAME: once they are\n"
	"connected, goes to the network namespace NAME; only the sockets stay where they were.\n"
	"--tunnel: the destination is a proxy, which is asked for that; its no is EPROTO.\n"
	"MODE: tcp v4mapped nonblock tfo tfo-connect mptcp iouring udp-sendto udp-connect\n"
	"      udp-mapped udp-mapped-connect udp-unspec\n"
	"A call prints: N RESULT ERRNO STATUS MS LOCAL-PORT STAGE\n"
	"RESULT: ok (a complete answer) error eof truncated bad timeout (our own patience, ETIME)\n"
	"STAGE: connect send recv -\n"
	"COMMAND of --step, K is a connection 0..255: open K | call K | get K | delete K |\n"
	"  start K (send, do not wait) | part K N (send N bytes of the request) | rest K |\n"
	"  finish K (wait for the answer) | wait K MS (for an end) | close K | reset K |\n"
	"  leave K (as --leave says) | quit\n"
	"Exit status: 0 every call got a complete answer, 1 not, 2 usage, 77 not supported here.\n";

static void build_request(const char *method)
{
	char body[512] = "";

	if (!strcmp(method, "POST"))
		snprintf(body, sizeof(body),
			 "{\"jsonrpc\":\"2.0\",%s\"method\":\"%s\",\"params\":{\"name\":\"echo\"}}",
			 strncmp(opt.rpc, "notifications/", 14) ? "\"id\":7," : "", opt.rpc);
	opt.request_len = (size_t)snprintf(opt.request, sizeof(opt.request),
					   "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: agent\r\n"
					   "Accept: application/json, text/event-stream\r\n%s%s"
					   "Content-Length: %zu\r\n\r\n%s",
					   method, opt.path, opt.host,
					   opt.keepalive ? "" : "Connection: close\r\n",
					   *body ? "Content-Type: application/json\r\n" : "",
					   strlen(body), body);
	if (opt.request_len >= sizeof(opt.request))
		die("--path is too long");
}

static struct outcome failed(const char *stage, int r, int fd)
{
	return (struct outcome){ .result = r == -ETIME ? "timeout" : "error",
				 .stage = stage,
				 .error = -r,
				 .port = local_port(fd) };
}

/* With which a connect fails that others succeed with. */
static void own_options(int fd)
{
	struct tcp_md5sig key = { .tcpm_addr = opt.to.sa, .tcpm_keylen = 1, .tcpm_key = { 'k' } };

	if (opt.md5 && setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key)))
		exit(EXIT_SKIP);
	if (opt.ttl &&
	    (setsockopt(fd, IPPROTO_IP, IP_TTL, &opt.ttl, sizeof(opt.ttl)) ||
	     (opt.to.sa.ss_family == AF_INET6 &&
	      setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &opt.ttl, sizeof(opt.ttl)))))
		die("--ttl: %s", strerror(errno));
	if (opt.syncnt && setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &opt.syncnt, sizeof(opt.syncnt)))
		die("--syncnt: %s", strerror(errno));
}

static int new_socket(void)
{
	int family = mode_is_mapped(opt.mode) ? AF_INET6 : opt.to.sa.ss_family;
	int fd = dial_socket(opt.mode, family);
	int one = 1;

	if (opt.mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &opt.mark, sizeof(opt.mark)))
		die("--mark: %s", strerror(errno));
	if (opt.device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opt.device, (socklen_t)strlen(opt.device)))
		die("--device: %s", strerror(errno));
	if (opt.md5_keys)
		md5_keys_fill(fd, family);
	own_options(fd);
	if (opt.from.len) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&opt.from.sa, opt.from.len))
			die("--bind: %s", strerror(errno));
	}
	return fd;
}

static int reach(int fd, size_t *sent, double until)
{
	int r = dial(fd, opt.mode, &opt.to, opt.request, opt.request_len, sent, until);

	return r || !opt.tunnel ? r : tunnel_open(fd, opt.tunnel, until);
}

static int send_bytes(int fd, const char *data, size_t len, double until)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n < 0 && errno != EAGAIN && errno != EINPROGRESS)
			return -errno;
		if (n < 0) {
			r = wait_for(fd, POLLOUT, until);
			if (r)
				return r;
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads until the answer is complete, the connection ends or patience does. */
static struct outcome read_answer(int fd, struct answer *a, double until)
{
	struct outcome o = { .result = "ok", .stage = "-", .port = local_port(fd) };
	char data[65536];
	ssize_t n;
	int r;

	while (a->at < ANSWER_DONE) {
		r = wait_for(fd, POLLIN, until);
		if (r) {
			o = failed("recv", r, fd);
			break;
		}
		n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0) {
			o = failed("recv", -errno, fd);
			break;
		}
		if (n == 0) {
			o.result = answer_ended(a);
			o.stage = strcmp(o.result, "ok") ? "recv" : "-";
			break;
		}
		answer_feed(a, data, (size_t)n);
	}
	if (a->at == ANSWER_BAD)
		o.result = "bad";
	o.status = a->status;
	return o;
}

static struct outcome exchange(int fd, size_t sent, double until, bool *closes)
{
	struct answer *a = malloc(sizeof(*a));
	struct outcome o;
	int r;

	if (!a)
		die("out of memory");
	answer_init(a, opt.body);
	r = send_bytes(fd, opt.request + sent, opt.request_len - sent, until);
	o = r ? failed("send", r, fd) : read_answer(fd, a, until);
	*closes = a->close || a->at != ANSWER_DONE;
	free(a);
	return o;
}

static struct outcome datagram(int fd, double until)
{
	struct outcome o = { .result = "ok", .stage = "-", .port = local_port(fd) };
	char data[64];
	int r = dial_datagram(fd, opt.mode, &opt.to);

	if (r)
		return failed("send", r, fd);
	r = wait_for(fd, POLLIN, until);
	if (r)
		return failed("recv", r, fd);
	if (recv(fd, data, sizeof(data), 0) < 0)
		return failed("recv", -errno, fd);
	return o;
}

/* One call on *fd, or on a new connection when it is -1; leaves *fd as is to be used next. */
static struct outcome call(int *fd)
{
	double until = now_ms() + opt.timeout_ms;
	struct outcome o = { .result = "ok", .stage = "-" };
	bool closes = true;
	size_t sent = 0;
	int r = 0;

	if (*fd < 0) {
		*fd = new_socket();
		if (opt.mode != MODE_UDP_SENDTO && opt.mode != MODE_UDP_MAPPED &&
		    opt.mode != MODE_UDP_UNSPEC)
			r = reach(*fd, &sent, until);
	}
	if (r)
		o = failed("connect", r, *fd);
	else if (mode_is_udp(opt.mode))
		o = datagram(*fd, until);
	else if (!opt.connect_only)
		o = exchange(*fd, sent, until, &closes);
	else
		o.port = local_port(*fd);
	if (mode_is_udp(opt.mode) && opt.keepalive)
		closes = false;
	if (!opt.keepalive || strcmp(o.result, "ok") || closes) {
		close(*fd);
		*fd = -1;
	}
	return o;
}

static bool print_outcome(const char *name, const struct outcome *o, double ms)
{
	char status[16] = "-";

	if (o->status)
		snprintf(status, sizeof(status), "%d", o->status);
	printf("%s %s %s %s %.2f %d %s\n", name, o->result, errno_name(o->error), status, ms,
	       o->port, o->stage);
	fflush(stdout);
	return !strcmp(o->result, "ok");
}

static void sleep_ms(double ms)
{
	if (ms > 0)
		usleep((useconds_t)(ms * 1e3));
}

static int run_calls(long count)
{
	bool all = true;
	char name[32];
	int fd = -1;

	for (long i = 1; i <= count; i++) {
		double start = now_ms();
		struct outcome o = call(&fd);
		double ms = now_ms() - start;

		snprintf(name, sizeof(name), "%ld", i);
		all &= print_outcome(name, &o, ms);
		if (i < count)
			sleep_ms(opt.interval_ms - ms);
	}
	if (fd >= 0)
		close(fd);
	return all ? 0 : 1;
}

/* --- many at once ----------------------------------------------------------- */

struct tally {
	char name[32];
	unsigned long count;
};

struct tallies {
	struct tally list[64];
	size_t count;
};

static void tally_add(struct tallies *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->count && strcmp(t->list[i].name, name); i++)
		;
	if (i == t->count) {
		if (i == sizeof(t->list) / sizeof(t->list[0]))
			return;
		snprintf(t->list[t->count++].name, sizeof(t->list[i].name), "%s", name);
	}
	t->list[i].count++;
}

static void tallies_print(const struct tallies *t)
{
	for (size_t i = 0; i < t->count; i++)
		printf(" %s=%lu", t->list[i].name, t->list[i].count);
}

struct flight {
	int fd;
	bool connected;
	struct answer answer;
};

/* What a flight ended with, or NULL while it goes on. */
static const char *flight_step(struct flight *f, char *name, size_t size)
{
	char data[4096];
	ssize_t n;
	int r;

	if (!f->connected) {
		r = socket_error(f->fd);
		if (r)
			return errno_name(-r);
		f->connected = true;
		if (opt.connect_only)
			return "ok";
		r = send_bytes(f->fd, opt.request, opt.request_len, now_ms() + opt.timeout_ms);
		if (r)
			return errno_name(-r);
	}
	n = recv(f->fd, data, sizeof(data), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? NULL : errno_name(errno);
	if (n && !answer_feed(&f->answer, data, (size_t)n))
		return NULL;
	snprintf(name, size, "%s", n ? "ok" : answer_ended(&f->answer));
	if (f->answer.at == ANSWER_DONE)
		snprintf(name, size, "http_%d", f->answer.status);
	return name;
}

static void flight_start(struct flight *f, int epoll, struct tallies *t, long *left)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = f };
	struct endpoint ep = mode_is_mapped(opt.mode) ? map_endpoint(&opt.to) : opt.to;

	if (connect(f->fd, (struct sockaddr *)&ep.sa, ep.len) && errno != EINPROGRESS) {
		tally_add(t, errno_name(errno));
		close(f->fd);
		f->fd = -1;
		(*left)--;
		return;
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, f->fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
}

static int run_concurrent(long count)
{
	struct flight *flights = calloc((size_t)count, sizeof(*flights));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double start, until;
	struct tallies t = {};
	long left = count;

	if (!flights)
		die("out of memory");
	for (long i = 0; i < count; i++) {
		flights[i].fd = new_socket();
		answer_init(&flights[i].answer, NULL);
	}
	start = now_ms();
	until = start + opt.timeout_ms;
	for (long i = 0; i < count; i++)
		flight_start(&flights[i], epoll, &t, &left);
	while (left && now_ms() < until) {
		struct epoll_event evs[64];
		int n = epoll_wait(epoll, evs, 64, 50);

		for (int i = 0; i < n; i++) {
			struct flight *f = evs[i].data.ptr;
			char name[32];
			const char *end = flight_step(f, name, sizeof(name));

			if (!end)
				continue;
			tally_add(&t, end);
			close(f->fd);
			f->fd = -1;
			left--;
		}
	}
	for (long i = 0; i < count; i++) {
		if (flights[i].fd < 0)
			continue;
		close(flights[i].fd); /* by itself: what exit() closes says nothing of the server */
		tally_add(&t, "timeout");
	}
	printf("concurrent %ld", count);
	tallies_print(&t);
	printf(" ms=%.2f\n", now_ms() - start);
	free(flights);
	return t.count == 1 && (!strcmp(t.list[0].name, "http_200") ||
				!strcmp(t.list[0].name, "ok"))
		       ? 0
		       : 1;
}

/* --- a pool that is held ----------------------------------------------------- */

static long pool_open(int *fds, long count, int epoll)
{
	long opened = 0;

	for (long i = 0; i < count; i++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = (int)i };
		double until = now_ms() + opt.timeout_ms;
		bool closes = false;
		size_t sent;

		fds[i] = new_socket();
		if (reach(fds[i], &sent, until))
			continue;
		if (opt.busy &&
		    send_bytes(fds[i], opt.request + sent, opt.request_len - sent, until))
			continue;
		if (!opt.busy && !opt.connect_only &&
		    strcmp(exchange(fds[i], sent, until, &closes).result, "ok"))
			continue;
		if (!epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &ev))
			opened++;
	}
	return opened;
}

/* How a readable pooled connection ended; NULL if it only received data. */
static const char *pool_end(int fd)
{
	char data[65536];
	ssize_t n;

	do {
		n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	} while (n > 0);
	if (n == 0)
		return "eof";
	return errno == EAGAIN ? NULL : errno_name(errno);
}

/* Whoever looks for the namespace of the connections finds no process in it any more. */
static void leave(void)
{
	char path[256];
	int fd;

	if (!opt.leave)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", opt.leave);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("--leave %s: %s", opt.leave, strerror(errno));
	close(fd);
}

static int run_pool(long count)
{
	int *fds = calloc((size_t)count, sizeof(*fds));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double first = 0, last = 0, until;
	struct tallies t = {};
	long opened, ended = 0;

	if (!fds)
		die("out of memory");
	opened = pool_open(fds, count, epoll);
	leave();
	printf("ready %ld\n", opened);
	fflush(stdout);
	until = now_ms() + opt.hold_ms;
	while (ended < opened && now_ms() < until) {
		struct epoll_event evs[256];
		int n = epoll_wait(epoll, evs, 256, 50);

		for (int i = 0; i < n; i++) {
			int fd = fds[evs[i].data.fd];
			const char *end = pool_end(fd);

			if (!end)
				continue;
			tally_add(&t, end);
			last = wall_ms();
			if (!ended++)
				first = last;
			epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
			close(fd);
		}
	}
	printf("pool opened=%ld ended=%ld left=%ld first=%.3f last=%.3f", opened, ended,
	       opened - ended, first, last);
	tallies_print(&t);
	putchar('\n');
	free(fds);
	return opened == count ? 0 : 1;
}

/* --- commands from stdin ------------------------------------------------------ */

struct step_conn {
	int fd;
	size_t sent;
	struct answer *answer;
};

static struct step_conn step_conns[STEP_CONNS];

static void step_close(struct step_conn *c, bool hard)
{
	if (c->fd >= 0 && hard)
		close_with_reset(c->fd);
	else if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static struct outcome step_open(struct step_conn *c, double until)
{
	struct outcome o = { .result = "ok", .stage = "-" };
	int r;

	step_close(c, false);
	c->fd = new_socket();
	r = reach(c->fd, &c->sent, until);
	if (r)
		return failed("connect", r, c->fd);
	o.port = local_port(c->fd);
	return o;
}

/* Sends bytes [c->sent, end) of the request. */
static struct outcome step_send(struct step_conn *c, size_t end, double until)
{
	struct outcome o = { .result = "ok", .stage = "-", .port = local_port(c->fd) };
	int r;

	if (end > opt.request_len)
		end = opt.request_len;
	r = c->sent < end ? send_bytes(c->fd, opt.request + c->sent, end - c->sent, until) : 0;
	c->sent = end;
	return r ? failed("send", r, c->fd) : o;
}

static struct outcome step_finish(struct step_conn *c, double until)
{
	c->sent = 0;
	answer_init(c->answer, NULL);
	return read_answer(c->fd, c->answer, until);
}

static struct outcome step_call(struct step_conn *c, const char *method, double until)
{
	struct outcome o = { .result = "ok" };

	build_request(method);
	if (c->fd < 0)
		o = step_open(c, until);
	if (!strcmp(o.result, "ok"))
		o = step_send(c, opt.request_len, until);
	if (!strcmp(o.result, "ok"))
		o = step_finish(c, until);
	c->sent = 0;
	return o;
}

/* Waits for the connection to end by itself; data that comes is thrown away. */
static struct outcome step_wait(const struct step_conn *c, double until)
{
	struct outcome o = { .stage = "recv", .port = local_port(c->fd) };
	const char *end;

	while (!wait_for(c->fd, POLLIN | POLLRDHUP, until)) {
		end = pool_end(c->fd);
		if (!end)
			continue;
		o.result = strcmp(end, "eof") ? "error" : "eof";
		for (int e = 1; o.result[1] == 'r' && e < 134; e++) {
			if (!strcmp(errno_name(e), end))
				o.error = e;
		}
		return o;
	}
	return failed("recv", -ETIME, c->fd);
}

static bool step_run(const char *verb, struct step_conn *c, long value, struct outcome *ret)
{
	double until = now_ms() + opt.timeout_ms;
	struct outcome o = { .result = "ok", .stage = "-", .port = local_port(c->fd) };

	if (!strcmp(verb, "open"))
		o = step_open(c, until);
	else if (!strcmp(verb, "call"))
		o = step_call(c, opt.method, until);
	else if (!strcmp(verb, "get"))
		o = step_call(c, "GET", until);
	else if (!strcmp(verb, "delete"))
		o = step_call(c, "DELETE", until);
	else if (!strcmp(verb, "start"))
		o = c->fd < 0 ? step_open(c, until) : o;
	else if (!strcmp(verb, "part"))
		o = step_send(c, c->sent + (size_t)value, until);
	else if (!strcmp(verb, "rest"))
		o = step_send(c, opt.request_len, until);
	else if (!strcmp(verb, "finish"))
		o = step_finish(c, until);
	else if (!strcmp(verb, "wait"))
		o = step_wait(c, now_ms() + (double)value);
	else if (!strcmp(verb, "close") || !strcmp(verb, "reset"))
		step_close(c, *verb == 'r');
	else if (!strcmp(verb, "leave"))
		leave();
	else
		return false;
	if (!strcmp(verb, "start") && !strcmp(o.result, "ok"))
		o = step_send(c, opt.request_len, until);
	*ret = o;
	return true;
}

static int run_steps(void)
{
	char line[256], verb[16], name[64];
	bool all = true;

	for (int i = 0; i < STEP_CONNS; i++) {
		step_conns[i].fd = -1;
		step_conns[i].answer = malloc(sizeof(struct answer));
		if (!step_conns[i].answer)
			die("out of memory");
	}
	while (fgets(line, sizeof(line), stdin)) {
		double start = now_ms();
		long value = 0;
		struct outcome o;
		int k = 0;

		build_request(opt.method);
		if (sscanf(line, "%15s %d %ld", verb, &k, &value) < 1)
			continue;
		if (!strcmp(verb, "quit"))
			break;
		if (k < 0 || k >= STEP_CONNS || !step_run(verb, &step_conns[k], value, &o))
			die("--step: \"%.*s\" is not a command\n%s", (int)strcspn(line, "\n"), line,
			    usage);
		snprintf(name, sizeof(name), "%s-%d", verb, k);
		all &= print_outcome(name, &o, now_ms() - start);
	}
	return all ? 0 : 1;
}

/* --- options ------------------------------------------------------------------- */

struct plan {
	long count, pool, concurrent;
	bool step;
};

static bool flag(const char *arg, struct plan *plan)
{
	if (!strcmp(arg, "--post"))
		opt.method = "POST";
	else if (!strcmp(arg, "--get"))
		opt.method = "GET";
	else if (!strcmp(arg, "--delete"))
		opt.method = "DELETE";
	else if (!strcmp(arg, "--keepalive"))
		opt.keepalive = true;
	else if (!strcmp(arg, "--connect-only"))
		opt.connect_only = true;
	else if (!strcmp(arg, "--busy"))
		opt.busy = true;
	else if (!strcmp(arg, "--md5-keys"))
		opt.md5_keys = true;
	else if (!strcmp(arg, "--md5"))
		opt.md5 = true;
	else if (!strcmp(arg, "--step"))
		plan->step = true;
	else
		return false;
	return true;
}

static void option(const char *name, const char *value, struct plan *plan)
{
	if (!value)
		die("%s", usage);
	if (!strcmp(name, "--connect"))
		opt.to = parse_endpoint(value);
	else if (!strcmp(name, "--bind"))
		opt.from = parse_endpoint(value);
	else if (!strcmp(name, "--mode"))
		opt.mode = parse_mode(value);
	else if (!strcmp(name, "--path"))
		opt.path = value;
	else if (!strcmp(name, "--rpc"))
		opt.rpc = value;
	else if (!strcmp(name, "--host"))
		opt.host = value;
	else if (!strcmp(name, "--device"))
		opt.device = value;
	else if (!strcmp(name, "--tunnel"))
		opt.tunnel = value;
	else if (!strcmp(name, "--leave"))
		opt.leave = value;
	else if (!strcmp(name, "--ttl"))
		opt.ttl = (int)parse_long(name, value, 1, 255);
	else if (!strcmp(name, "--syncnt"))
		opt.syncnt = (int)parse_long(name, value, 1, 255);
	else if (!strcmp(name, "--mark"))
		opt.mark = (unsigned int)parse_long(name, value, 1, UINT32_MAX);
	else if (!strcmp(name, "--body"))
		opt.body = fopen(value, "w");
	else if (!strcmp(name, "--count"))
		plan->count = parse_long(name, value, 1, 10000000);
	else if (!strcmp(name, "--pool"))
		plan->pool = parse_long(name, value, 1, CONCURRENT_MAX);
	else if (!strcmp(name, "--concurrent"))
		plan->concurrent = parse_long(name, value, 1, CONCURRENT_MAX);
	else if (!strcmp(name, "--interval"))
		opt.interval_ms = (double)parse_long(name, value, 0, 600000);
	else if (!strcmp(name, "--timeout"))
		opt.timeout_ms = (double)parse_long(name, value, 1, 600000);
	else if (!strcmp(name, "--hold"))
		opt.hold_ms = (double)parse_long(name, value, 1, 3600000);
	else
		die("%s", usage);
}

int main(int argc, char **argv)
{
	struct plan plan = { .count = 1 };

	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	for (int i = 1; i < argc; i++) {
		if (flag(argv[i], &plan))
			continue;
		option(argv[i], argv[i + 1], &plan);
		i++;
	}
	if (!opt.to.len)
		die("%s", usage);
	if (plan.pool || plan.step)
		opt.keepalive = true;
	build_request(opt.method);
	if (plan.step)
		return run_steps();
	if (plan.pool)
		return run_pool(plan.pool);
	if (plan.concurrent)
		return run_concurrent(plan.concurrent);
	return run_calls(plan.count);
}
