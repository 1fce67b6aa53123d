/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A server that fails on demand: one epoll loop, thousands of connections,
 * answers by script (script.h), changed at run time through a control socket,
 * and counters that prove what reached it and how connections ended.
 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include "script.h"

#define REQUEST_MAX 65536
#define FDS_MAX 65536

enum accept_mode {
	ACCEPT_NORMAL,
	ACCEPT_NOREAD,
	ACCEPT_RST
};

struct conn {
	int fd;
	size_t in_len;
	char *in;
	struct reply reply; /* data is NULL while none is being sent */
	size_t sent;
	unsigned int part;
	double due; /* when the next part goes out */
	long gap_ms;
	bool hanging;      /* was given no answer: further input is only counted */
	struct conn *next; /* in the list of those with something due */
	bool queued;
	bool held; /* until the command "go" */
};

struct stats {
	unsigned long accepted, requests, agent, post, get, delete, answered, datagrams;
	unsigned long eof, reset, closed;
	unsigned long bytes;                      /* that were sent, in all connections */
	double last_request, first_end, last_end; /* wall clock, ms */
};

static struct {
	struct endpoint at;
	bool v6only;
	bool udp;
	int epoll;
	int listener;
	int control;
	enum accept_mode accept;
	struct script any, get, delete;
	struct stats stats;
	unsigned long open;
	struct conn *conns[FDS_MAX];
	struct conn *due;
} peer;

static const char usage[] =
	"usage: peer --listen ADDR:PORT [--control PATH] [--answer SCRIPT] [--v6only] [--udp]\n"
	"            [--accept normal|noread|rst] [--seconds N]\n"
	"       peer --ctl PATH COMMAND...\n"
	"SCRIPT: STEP[,STEP]..., the last one repeats; STEP: WORD[+MODIFIER]...[*TIMES]\n"
	"WORD: ok chunked sse split stream html malformed truncate hang rst eof or a status NNN;\n"
	"  ticks: an event stream for ever, with us=MICROSECONDS, the time of each, in its data\n"
	"MODIFIER: status=NNN delay=MS gap=MS parts=N body=BYTES retry-after=S close\n"
	"  hold (until the command go)\n"
	"A request for /as/STEP is answered by that step. With --udp: ok echoes, else silence.\n"
	"COMMAND: answer [GET|DELETE] SCRIPT | accept MODE | listen | unlisten | stats | zero |\n"
	"         go | close-all | reset-all | quit\n"
	"Exit status: 0 done, 1 failed, 2 usage.\n";

static void conn_end(struct conn *c, bool hard)
{
	struct conn **p;

	for (p = &peer.due; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			break;
		}
	}
	peer.conns[c->fd] = NULL;
	peer.open--;
	if (hard)
		close_with_reset(c->fd);
	else
		close(c->fd);
	free(c->reply.data);
	free(c->in);
	free(c);
}

/* The other side ended it: how, and when. */
static void conn_ended(struct conn *c, bool reset)
{
	double now = wall_ms();

	if (reset)
		peer.stats.reset++;
	else
		peer.stats.eof++;
	if (!peer.stats.first_end)
		peer.stats.first_end = now;
	peer.stats.last_end = now;
	conn_end(c, false);
}

static void conn_schedule(struct conn *c, double due)
{
	c->due = due;
	if (c->queued)
		return;
	c->queued = true;
	c->next = peer.due;
	peer.due = c;
}

/* The next event of a stream, with the time of now in it. */
static void conn_tick(struct conn *c)
{
	double us = wall_ms() * 1e3;
	char event[64];
	int len = snprintf(event, sizeof(event), "data: us=%.0f\n\n", us);

	free(c->reply.data);
	if (asprintf(&c->reply.data, "%x\r\n%s\r\n", (unsigned int)len, event) < 0)
		die("out of memory");
	c->reply.cut[0] = strlen(c->reply.data);
	c->reply.parts = 1;
	c->sent = 0;
	c->part = 0;
}

static void conn_finish(struct conn *c)
{
	enum ending ending = c->reply.ending;

	if (c->reply.parts)
		peer.stats.answered++;
	free(c->reply.data);
	c->reply = (struct reply){};
	if (ending == END_KEEP)
		return;
	peer.stats.closed++;
	conn_end(c, ending == END_RST);
}

/* Sends what is due; returns false when the connection is gone. */
static bool conn_send(struct conn *c)
{
	if (c->reply.ticks && c->part == c->reply.parts)
		conn_tick(c);
	while (c->part < c->reply.parts) {
		size_t want = c->reply.cut[c->part] - c->sent;
		ssize_t n = send(c->fd, c->reply.data + c->sent, want, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			conn_schedule(c, now_ms() + 1);
			return true;
		}
		if (n < 0) {
			conn_ended(c, errno == ECONNRESET);
			return false;
		}
		c->sent += (size_t)n;
		peer.stats.bytes += (size_t)n;
		if (c->sent < c->reply.cut[c->part])
			continue;
		if (++c->part < c->reply.parts || c->reply.ticks) {
			conn_schedule(c, now_ms() + (double)c->gap_ms);
			return true;
		}
	}
	conn_finish(c);
	return false;
}

/* The JSON-RPC id of a request as its text, "1" if it has none. */
static void copy_id(const char *body, char *id, size_t size)
{
	const char *p = body ? strstr(body, "\"id\":") : NULL;
	size_t len;

	snprintf(id, size, "1");
	if (!p)
		return;
	p += 5 + strspn(p + 5, " ");
	len = *p == '"' ? strcspn(p + 1, "\"") + 2 : strcspn(p, ",} \r\n");
	if (len && len < size) {
		memcpy(id, p, len);
		id[len] = '\0';
	}
}

static char *good_body(const char *request_body, long padding)
{
	char id[128];
	char *text = NULL;
	char *pad = calloc(1, (size_t)padding + 1);

	if (!pad)
		die("out of memory");
	memset(pad, 'x', (size_t)padding);
	copy_id(request_body, id, sizeof(id));
	if (asprintf(&text,
		     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-06-18\","
		     "\"capabilities\":{},\"serverInfo\":{\"name\":\"peer\",\"version\":\"1\"},"
		     "\"tools\":[],\"pad\":\"%s\"}}",
		     id, pad) < 0)
		die("out of memory");
	free(pad);
	return text;
}

static const struct step *choose_step(const char *method, const char *path, const char *body,
				      struct step *own)
{
	static const struct step accepted = { .word = WORD_STATUS,
					      .status = 202,
					      .retry_after = -1 };
	char text[256];

	if (!strncmp(path, "/as/", 4)) {
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(path + 4, " ?"), path + 4);
		if (parse_step(own, text))
			return own;
	}
	if (!strcmp(method, "GET") && peer.get.count)
		return script_next(&peer.get);
	if (!strcmp(method, "DELETE") && peer.delete.count)
		return script_next(&peer.delete);
	if (peer.any.steps[peer.any.at].word == WORD_OK && body &&
	    strstr(body, "\"method\":\"notifications/"))
		return &accepted;
	return script_next(&peer.any);
}

static void count_request(const char *method, const char *head)
{
	struct stats *s = &peer.stats;

	s->requests++;
	s->last_request = wall_ms();
	if (strcasestr(head, "\r\nUser-Agent: agent"))
		s->agent++;
	if (!strcmp(method, "GET"))
		s->get++;
	else if (!strcmp(method, "DELETE"))
		s->delete ++;
	else
		s->post++;
}

static void conn_request(struct conn *c, char *body)
{
	char method[16] = "";
	char path[1024] = "";
	struct step own;
	const struct step *s;
	char *good;

	sscanf(c->in, "%15s %1023s", method, path);
	count_request(method, c->in);
	s = choose_step(method, path, body, &own);
	good = good_body(body, s->body);
	c->reply = build_reply(s, good);
	free(good);
	c->sent = 0;
	c->part = 0;
	c->gap_ms = s->gap_ms;
	c->hanging = s->word == WORD_HANG || s->word == WORD_STREAM || s->word == WORD_TICKS;
	c->held = s->hold;
	if (s->word == WORD_HANG || s->hold)
		return;
	conn_schedule(c, s->delay_ms ? now_ms() + (double)s->delay_ms : 0);
}

/* Takes one complete request out of the buffer, if there is one. */
static void conn_parse(struct conn *c)
{
	char *end, *field;
	size_t head, length = 0, total;
	char saved;

	c->in[c->in_len] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return;
	head = (size_t)(end - c->in) + 4;
	saved = *end;
	*end = '\0';
	field = strcasestr(c->in, "\r\nContent-Length:");
	*end = saved;
	if (field)
		length = strtoul(field + 17, NULL, 10);
	total = head + length;
	if (total >= REQUEST_MAX || c->in_len < total)
		return;
	saved = c->in[total];
	c->in[total] = '\0';
	conn_request(c, c->in + head);
	c->in[total] = saved;
	memmove(c->in, c->in + total, c->in_len - total);
	c->in_len -= total;
}

static void conn_readable(struct conn *c)
{
	ssize_t n;

	if (c->in_len >= REQUEST_MAX - 1)
		c->in_len = 0;
	n = recv(c->fd, c->in + c->in_len, REQUEST_MAX - 1 - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_ended(c, n < 0);
		return;
	}
	c->in_len += (size_t)n;
	if (!c->reply.data || c->hanging)
		conn_parse(c);
}

static void accept_one(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };
	struct conn *c;

	peer.stats.accepted++;
	if (peer.accept == ACCEPT_RST || fd >= FDS_MAX) {
		close_with_reset(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c || !(c->in = malloc(REQUEST_MAX)))
		die("out of memory");
	c->fd = fd;
	peer.conns[fd] = c;
	peer.open++;
	if (peer.accept == ACCEPT_NOREAD)
		ev.events = 0;
	if (epoll_ctl(peer.epoll, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
}

static void watch(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(peer.epoll, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
}

static bool listen_start(void)
{
	int one = 1, v6only = peer.v6only;
	int type = (peer.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd;

	if (peer.listener >= 0)
		return true;
	fd = socket(peer.at.sa.ss_family, type, 0);
	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (peer.at.sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
	if (bind(fd, (struct sockaddr *)&peer.at.sa, peer.at.len) ||
	    (!peer.udp && listen(fd, 4096))) {
		close(fd);
		return false;
	}
	peer.listener = fd;
	watch(fd);
	return true;
}

static void listen_stop(void)
{
	if (peer.listener >= 0)
		close(peer.listener);
	peer.listener = -1;
}

static void close_all(bool hard)
{
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (!peer.conns[fd])
			continue;
		peer.stats.closed++;
		conn_end(peer.conns[fd], hard);
	}
}

/* Answers that were held go out. */
static void go(void)
{
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (!peer.conns[fd] || !peer.conns[fd]->held)
			continue;
		peer.conns[fd]->held = false;
		conn_schedule(peer.conns[fd], 0);
	}
}

static void print_stats(FILE *out)
{
	const struct stats *s = &peer.stats;

	fprintf(out,
		"accepted=%lu open=%lu requests=%lu agent=%lu post=%lu get=%lu delete=%lu "
		"answered=%lu datagrams=%lu eof=%lu reset=%lu closed=%lu bytes=%lu "
		"last_request=%.3f first_end=%.3f last_end=%.3f\n",
		s->accepted, peer.open, s->requests, s->agent, s->post, s->get, s->delete,
		s->answered, s->datagrams, s->eof, s->reset, s->closed, s->bytes, s->last_request,
		s->first_end, s->last_end);
}

static bool command_answer(const char *args)
{
	if (!strncmp(args, "GET ", 4))
		return parse_script(&peer.get, args + 4);
	if (!strncmp(args, "DELETE ", 7))
		return parse_script(&peer.delete, args + 7);
	return parse_script(&peer.any, args);
}

static bool set_accept(const char *mode)
{
	static const char *const names[] = { "normal", "noread", "rst" };

	for (int i = 0; i < 3; i++) {
		if (!strcmp(mode, names[i])) {
			peer.accept = (enum accept_mode)i;
			return true;
		}
	}
	return false;
}

static bool command(const char *line, FILE *out)
{
	if (!strncmp(line, "answer ", 7))
		return command_answer(line + 7);
	if (!strncmp(line, "accept ", 7))
		return set_accept(line + 7);
	if (!strcmp(line, "listen"))
		return listen_start();
	if (!strcmp(line, "unlisten"))
		listen_stop();
	else if (!strcmp(line, "zero"))
		peer.stats = (struct stats){};
	else if (!strcmp(line, "go"))
		go();
	else if (!strcmp(line, "close-all"))
		close_all(false);
	else if (!strcmp(line, "reset-all"))
		close_all(true);
	else if (!strcmp(line, "stats"))
		print_stats(out);
	else
		return false;
	return true;
}

static void control_accept(void)
{
	struct timeval patience = { .tv_sec = 1 };
	int fd = accept4(peer.control, NULL, NULL, SOCK_CLOEXEC);
	char line[2048] = "";
	ssize_t n;
	FILE *out;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(fd, line, sizeof(line) - 1, 0);
	line[n > 0 ? n : 0] = '\0';
	out = fdopen(fd, "w");
	if (!out)
		die("out of memory");
	if (!strcmp(line, "quit")) {
		fputs("done\n", out);
		fclose(out);
		exit(0);
	}
	fputs(command(line, out) ? "done\n" : "failed\n", out);
	fclose(out);
}

static void udp_readable(void)
{
	char data[65536];
	struct endpoint from = { .len = sizeof(from.sa) };
	ssize_t n = recvfrom(peer.listener, data, sizeof(data), 0, (struct sockaddr *)&from.sa,
			     &from.len);

	if (n < 0)
		return;
	peer.stats.datagrams++;
	if (script_next(&peer.any)->word == WORD_OK)
		sendto(peer.listener, data, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&from.sa,
		       from.len);
}

static void handle(const struct epoll_event *ev)
{
	int fd = ev->data.fd;
	int client;

	if (fd == peer.control) {
		control_accept();
	} else if (fd == peer.listener && peer.udp) {
		udp_readable();
	} else if (fd == peer.listener) {
		while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
			accept_one(client);
	} else if (peer.conns[fd]) {
		if (peer.accept == ACCEPT_NOREAD && !(ev->events & EPOLLIN))
			conn_ended(peer.conns[fd], ev->events & EPOLLERR);
		else
			conn_readable(peer.conns[fd]);
	}
}

/* Sends every part that is due; returns the ms until the next one, -1 if none waits. */
static int run_due(void)
{
	double now = now_ms();
	double next = -1;
	struct conn *list = peer.due;
	struct conn *c;

	peer.due = NULL;
	while ((c = list)) {
		list = c->next;
		c->queued = false;
		if (c->due <= now)
			conn_send(c);
		else
			conn_schedule(c, c->due);
	}
	for (c = peer.due; c; c = c->next) {
		if (next < 0 || c->due - now < next)
			next = c->due > now ? c->due - now : 0;
	}
	return next < 0 ? -1 : (int)next + 1;
}

static void control_start(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(at.sun_path))
		die("--control: the path is too long");
	memcpy(at.sun_path, path, strlen(path) + 1);
	unlink(path);
	peer.control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (peer.control < 0 || bind(peer.control, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(peer.control, 64))
		die("--control %s: %s", path, strerror(errno));
	watch(peer.control);
}

/* The client side of the control socket; the exit status of the process. */
static int ctl(const char *path, char **words)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[4096] = "";
	size_t len = 0;
	ssize_t n;

	for (; *words; words++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
					*words);
		if (len >= sizeof(text))
			die("the command is too long");
	}
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    send(fd, text, len, MSG_NOSIGNAL) < 0)
		return 1;
	for (len = 0; len < sizeof(text) - 1; len += (size_t)n) {
		n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n <= 0)
			break;
	}
	text[len] = '\0';
	close(fd);
	if (len < 5 || strcmp(text + len - 5, "done\n"))
		return 1;
	text[len - 5] = '\0';
	fputs(text, stdout);
	return 0;
}

static int serve(double until)
{
	struct epoll_event evs[256];
	int wait, n;

	while (now_ms() < until) {
		wait = run_due();
		n = epoll_wait(peer.epoll, evs, 256, wait < 0 || wait > 500 ? 500 : wait);
		for (int i = 0; i < n; i++)
			handle(&evs[i]);
	}
	fprintf(stderr, "peer: its time is over (--seconds)\n");
	return 1;
}

static const char *option(char **argv, int *i, const char *name)
{
	if (strcmp(argv[*i], name))
		return NULL;
	if (!argv[*i + 1])
		die("%s needs a value", name);
	return argv[++*i];
}

int main(int argc, char **argv)
{
	const char *control = NULL;
	const char *v;
	bool listening = false;
	long seconds = 600;

	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	parse_script(&peer.any, "ok");
	peer.listener = -1;
	peer.control = -1;
	for (int i = 1; i < argc; i++) {
		if ((v = option(argv, &i, "--ctl")))
			return ctl(v, argv + i + 1);
		if ((v = option(argv, &i, "--listen"))) {
			peer.at = parse_endpoint(v);
			listening = true;
		} else if ((v = option(argv, &i, "--control"))) {
			control = v;
		} else if ((v = option(argv, &i, "--answer"))) {
			if (!command_answer(v))
				die("--answer: \"%s\" is not a script\n%s", v, usage);
		} else if ((v = option(argv, &i, "--accept"))) {
			if (!set_accept(v))
				die("--accept: normal, noread or rst");
		} else if ((v = option(argv, &i, "--seconds"))) {
			seconds = parse_long("--seconds", v, 1, 86400);
		} else if (!strcmp(argv[i], "--v6only")) {
			peer.v6only = true;
		} else if (!strcmp(argv[i], "--udp")) {
			peer.udp = true;
		} else {
			die("%s", usage);
		}
	}
	if (!listening)
		die("%s", usage);
	peer.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!listen_start())
		die("--listen: %s", strerror(errno));
	if (control)
		control_start(control);
	printf("ready %d\n", endpoint_port(&peer.at));
	fflush(stdout);
	return serve(now_ms() + (double)seconds * 1e3);
}
