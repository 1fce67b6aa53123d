/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A forward proxy of HTTP: CONNECT, and absolute URIs in clear. A process for each connection.
 * Whom it cannot reach it answers 502 for, and 407 for whom it was told to.
 */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "answer.h"
#include "dial.h"

#define HEAD_MAX 8192

static const char usage[] =
	"usage: proxy --listen ADDR:PORT [--auth HOST:PORT] [--seconds N]\n"
	"HOST is a literal address or localhost. --auth: for that one the answer is 407.\n"
	"Exit status: 0 its time is over, 2 usage.\n";

static const char *auth = "";

struct request {
	char head[HEAD_MAX]; /* the header, and what came behind it */
	size_t len;
	size_t head_len;
	char method[16];
	char target[512]; /* host:port */
	char path[2048];
	size_t line_len; /* of the request line, with its end */
	size_t body;     /* bytes that belong to it behind the header */
};

static bool write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool say(int fd, const char *status)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);

	return write_all(fd, text, (size_t)n);
}

/* Reads up to the end of the header; false: the client is gone. */
static bool read_head(int fd, struct request *r)
{
	char *end;

	while (!(end = memmem(r->head, r->len, "\r\n\r\n", 4))) {
		ssize_t n = recv(fd, r->head + r->len, sizeof(r->head) - 1 - r->len, 0);

		if (n <= 0)
			return false;
		r->len += (size_t)n;
	}
	r->head_len = (size_t)(end + 4 - r->head);
	return true;
}

/* Understands the header; false: it is none. */
static bool parse_head(struct request *r)
{
	char uri[2560] = "";
	char *host = uri;
	char *field;
	char *path;

	r->head[r->len] = '\0';
	if (sscanf(r->head, "%15s %2559s", r->method, uri) != 2)
		return false;
	r->line_len = (size_t)(strstr(r->head, "\r\n") + 2 - r->head);
	if (!strncasecmp(uri, "http://", 7))
		host += 7;
	path = strchr(host, '/');
	snprintf(r->path, sizeof(r->path), "%s", path ? path : "/");
	if (path)
		*path = '\0';
	if (!strncasecmp(host, "localhost", 9))
		snprintf(r->target, sizeof(r->target), "127.0.0.1%s", host + 9);
	else
		snprintf(r->target, sizeof(r->target), "%.500s", host);
	field = strcasestr(r->head, "\r\nContent-Length:");
	r->body = field && field < r->head + r->head_len ? (size_t)strtoul(field + 17, NULL, 10)
							 : 0;
	return strrchr(r->target, ':');
}

static int reach(const char *target)
{
	struct endpoint ep = parse_endpoint(target);
	int fd = socket(ep.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !connect(fd, (struct sockaddr *)&ep.sa, ep.len))
		return fd;
	close(fd);
	return -1;
}

/* Copies what comes; false: that side has ended. */
static bool copy(int from, int to)
{
	char data[65536];
	ssize_t n = recv(from, data, sizeof(data), 0);

	return n > 0 && write_all(to, data, (size_t)n);
}

static void tunnel(int client, int server, const struct request *r)
{
	struct pollfd fds[2] = { { .fd = client, .events = POLLIN },
				 { .fd = server, .events = POLLIN } };

	if (!write_all(client, "HTTP/1.1 200 Connection established\r\n\r\n", 39) ||
	    !write_all(server, r->head + r->head_len, r->len - r->head_len))
		return;
	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents && !copy(client, server))
			return;
		if (fds[1].revents && !copy(server, client))
			return;
	}
}

/* One request with an absolute URI, and its answer; false: the client's connection ends, too. */
static bool forward(int client, int server, struct request *r)
{
	size_t sent = r->len - r->head_len < r->body ? r->len - r->head_len : r->body;
	struct answer a;
	char line[2560];
	char data[65536];
	int n = snprintf(line, sizeof(line), "%s %s HTTP/1.1\r\n", r->method, r->path);

	if (!write_all(server, line, (size_t)n) ||
	    !write_all(server, r->head + r->line_len, r->head_len - r->line_len + sent))
		return false;
	while (sent < r->body) {
		size_t left = r->body - sent;
		ssize_t got = recv(client, data, left < sizeof(data) ? left : sizeof(data), 0);

		if (got <= 0 || !write_all(server, data, (size_t)got))
			return false;
		sent += (size_t)got;
	}
	r->len = 0;
	answer_init(&a, NULL);
	while (a.at < ANSWER_DONE) {
		ssize_t got = recv(server, data, sizeof(data), 0);

		if (got <= 0)
			return false;
		answer_feed(&a, data, (size_t)got);
		if (!write_all(client, data, (size_t)got))
			return false;
	}
	return a.at == ANSWER_DONE && !a.close;
}

static void serve(int client)
{
	struct request *r = calloc(1, sizeof(*r));
	bool more = r != NULL;

	while (more && read_head(client, r)) {
		int server;

		if (!parse_head(r)) {
			say(client, "400 Bad Request");
			break;
		}
		if (!strcmp(r->target, auth)) {
			more = say(client, "407 Proxy Authentication Required");
			r->len = 0;
			continue;
		}
		server = reach(r->target);
		if (server < 0) {
			more = say(client, "502 Bad Gateway");
			r->len = 0;
			continue;
		}
		if (!strcmp(r->method, "CONNECT")) {
			tunnel(client, server, r);
			break;
		}
		more = forward(client, server, r);
		close(server);
	}
	free(r);
	close(client);
}

int main(int argc, char **argv)
{
	struct endpoint at = {};
	int one = 1;
	int fd;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			die("%s", usage);
		if (!strcmp(argv[i], "--listen"))
			at = parse_endpoint(argv[i + 1]);
		else if (!strcmp(argv[i], "--auth"))
			auth = argv[i + 1];
		else if (!strcmp(argv[i], "--seconds"))
			alarm((unsigned int)parse_long(argv[i], argv[i + 1], 1, 3600));
		else
			die("%s", usage);
	}
	if (!at.len)
		die("%s", usage);
	signal(SIGCHLD, SIG_IGN);
	fd = socket(at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at.sa, at.len) || listen(fd, 128))
		die("cannot listen: %s", strerror(errno));
	puts("ready");
	fflush(stdout);
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pid_t child = client >= 0 ? fork() : -1;

		if (!child) {
			close(fd);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(client);
			_exit(0);
		}
		if (client >= 0)
			close(client);
	}
}
