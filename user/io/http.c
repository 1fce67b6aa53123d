/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The server as a whole: start, run, stop, and who gets a connection. */
#include "io/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/http_private.h"

#define SUB "http"
#define CONNECTIONS_DEFAULT 64U
#define TIMEOUT_DEFAULT_S 15U

/* --- connections ----------------------------------------------------------- */

/* Whether one more connection of this user would take what is kept for others (H3). */
static bool beyond_share(const struct http *http, const struct http_conn *conn)
{
	unsigned int own = 0;
	unsigned int users = 0;

	if (!conn->local || conn->peer.uid == 0)
		return false;
	for (const struct http_conn *c = LIST_FIRST(&http->conns); c; c = LIST_NEXT(c, all)) {
		users += c->peer.uid != 0;
		own += c->peer.uid == conn->peer.uid;
	}
	return own > (http->connections + 3) / 4 || users > http->connections * 3 / 4;
}

/* Once a second: whoever is turned away decides how often he tries. */
static void say_turned_away(struct http *http, const struct http_conn *conn)
{
	uint64_t now = clock_boot_ns();

	http->turned_away++;
	if (http->turned_away_ns && now < http->turned_away_ns + NS_PER_SEC)
		return;
	log_warning(SUB,
		    "user %u holds too many connections: refused one more (process %d); %u were "
		    "refused since this was said last",
		    conn->peer.uid, conn->peer.pid, http->turned_away);
	http->turned_away_ns = now;
	http->turned_away = 0;
}

static void turn_away(struct http *http, const struct http_conn *conn)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
				   "Content-Type: application/json\r\nConnection: close\r\n"
				   "\r\n{\"error\":{\"code\":\"busy\","
				   "\"message\":\"too many connections, close some first\"}}\n";

	say_turned_away(http, conn);
	/* An empty send buffer takes it; a client that finds none sees the end only. */
	if (send(conn->fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug(SUB, "cannot say so to process %d", conn->peer.pid);
	shutdown(conn->fd, SHUT_RDWR);
}

static void conn_begin(struct http *http, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_conn *conn = calloc(1, sizeof(*conn));
	socklen_t len = sizeof(conn->peer);

	if (!conn || !info) {
		free(conn);
		return;
	}
	conn->fd = info->connect_fd;
	conn->local = http->path &&
		      !getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &conn->peer, &len);
	LIST_INSERT_HEAD(&http->conns, conn, all);
	*context = conn;
	if (beyond_share(http, conn))
		turn_away(http, conn);
}

static void conn_changed(void *data, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode what)
{
	struct http *http = data;
	struct http_conn *conn = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_begin(http, connection, context);
		return;
	}
	if (conn)
		LIST_REMOVE(conn, all);
	free(conn);
	*context = NULL;
	http->again = true;
}

/* --- the server ------------------------------------------------------------ */

static void PRINTF_LIKE(2, 0) mhd_log(void *data, const char *fmt, va_list ap)
{
	char text[512];

	(void)data;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug(SUB, "%s", text);
}

static int start(struct http *http, int fd)
{
	const struct MHD_OptionItem options[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)mhd_log, http },
		{ MHD_OPTION_LISTEN_SOCKET, fd, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, http->connections, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, http->timeout_s, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_HEADER_MAX, NULL },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_call_begin, http },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_call_end, http },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)conn_changed, http },
		{ MHD_OPTION_END, 0, NULL },
	};

	http->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
				     0, NULL, NULL, http_call_data, http, MHD_OPTION_ARRAY, options,
				     MHD_OPTION_END);
	return http->mhd ? 0 : -EIO;
}

/* The error's own text, after what was said of it. */
static int complete(char *why, int r)
{
	size_t len = strlen(why);

	if (!len)
		snprintf(why, HTTP_WHY_MAX, "cannot start the HTTP server: %s", strerror(-r));
	else
		snprintf(why + len, HTTP_WHY_MAX - len, " (%s)", strerror(-r));
	return r;
}

int http_check(const struct http_options *options, char *why)
{
	CLEANUP(closep) int fd = -1;
	int r;

	why[0] = '\0';
	if (options->path)
		r = http_check_unix(options->path, why);
	else
		r = http_listen_tcp(options->address, options->port, &fd, why);
	return r ? complete(why, r) : 0;
}

int http_new(const struct http_options *options, struct http **ret, char *why)
{
	CLEANUP(http_freep) struct http *http = calloc(1, sizeof(*http));
	CLEANUP(closep) int fd = -1;
	int r;

	why[0] = '\0';
	if (!http)
		return complete(why, -ENOMEM);
	http->handler = options->handler;
	http->body_max = options->body_max;
	http->data = options->data;
	http->connections = options->connections ? options->connections : CONNECTIONS_DEFAULT;
	http->timeout_s = options->timeout_s ? options->timeout_s : TIMEOUT_DEFAULT_S;
	http->check_ms = options->check_ms ? options->check_ms : HTTP_CHECK_MS;
	if (options->path) {
		http->path = strdup(options->path);
		if (!http->path)
			return complete(why, -ENOMEM);
		r = http_listen_unix(options->path, &http->socket, &fd, why);
	} else {
		r = http_listen_tcp(options->address, options->port, &fd, why);
	}
	if (!r)
		r = start(http, fd);
	if (r)
		return complete(why, r);
	fd = -1; /* libmicrohttpd's now */
	*ret = TAKE_PTR(http);
	return 0;
}

/* Only the socket that this server bound: a successor may have its own there. */
static void remove_socket(const struct http *http)
{
	struct stat st;

	if (lstat(http->path, &st) == 0 && st.st_dev == http->socket.st_dev &&
	    st.st_ino == http->socket.st_ino)
		unlink(http->path);
}

void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->path)
		remove_socket(http);
	if (http->mhd) {
		http_streams_check(http, true);
		http_deferred_check(http, true, 0);
		MHD_run(http->mhd);
		MHD_stop_daemon(http->mhd);
	}
	free(http->path);
	free(http);
}

int http_fd(const struct http *http)
{
	return MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

uint16_t http_port(const struct http *http)
{
	int fd = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd;
	struct sockaddr_in6 sa = { 0 }; /* the port of an IPv4 address is at the same place */
	socklen_t len = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ? 0 : ntohs(sa.sin6_port);
}

static bool somebody_waits(const struct http *http)
{
	return !LIST_EMPTY(&http->streams) || !LIST_EMPTY(&http->deferred);
}

/* Until those who wait in silence are looked at; -1: there are none. */
static int check_ms(const struct http *http)
{
	uint64_t due = http->checked_ns + http->check_ms * NS_PER_MS;
	uint64_t now = clock_boot_ns();

	if (!somebody_waits(http))
		return -1;
	return now >= due ? 0 : (int)((due - now) / NS_PER_MS) + 1;
}

int http_timeout_ms(const struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;
	int timeout = check_ms(http);

	if (http->again)
		return 0;
	if (MHD_get_timeout(http->mhd, &ms) == MHD_YES &&
	    (timeout < 0 || ms < (MHD_UNSIGNED_LONG_LONG)timeout))
		timeout = ms > 60000 ? 60000 : (int)ms;
	return timeout;
}

static void run(struct http *http)
{
	http->again = false;
	MHD_run(http->mhd);
}

void http_run(struct http *http)
{
	uint64_t now = clock_boot_ns();

	if (somebody_waits(http) && now - http->checked_ns >= http->check_ms * NS_PER_MS) {
		http->checked_ns = now;
		http_streams_check(http, false);
		http_deferred_check(http, false, now);
	}
	run(http);
}

void http_flush(struct http *http, unsigned int timeout_ms)
{
	uint64_t end = clock_boot_ns() + timeout_ms * NS_PER_MS;

	while (http->open_calls) {
		struct pollfd p = { .fd = http_fd(http), .events = POLLIN };
		uint64_t now = clock_boot_ns();
		int wait = http_timeout_ms(http);

		if (now >= end)
			return;
		if (wait < 0 || (uint64_t)wait > (end - now) / NS_PER_MS)
			wait = (int)((end - now) / NS_PER_MS);
		poll(&p, 1, wait);
		run(http);
	}
}
