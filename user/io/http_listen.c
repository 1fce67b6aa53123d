/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Listening sockets: who may own the path, and what to say when it is taken. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "io/http_private.h"

#define SUB "http"
#define BACKLOG 128

#define fail(r, why, ...) explain(r, why, HTTP_WHY_MAX, __VA_ARGS__)

/* A directory that every local user may enter, whatever the umask is: looking is for all. */
static int make_public(const char *dir)
{
	struct stat st;

	if (!mkdir(dir, 0755))
		return chmod(dir, 0755) < 0 ? -errno : 0;
	if (errno != EEXIST)
		return -errno;
	return !stat(dir, &st) && !S_ISDIR(st.st_mode) ? -ENOTDIR : 0;
}

/* Creates every missing directory above path. */
static int make_parents(const char *path, char *why)
{
	CLEANUP(freep) char *dir = strdup(path);

	if (!dir)
		return -ENOMEM;
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = make_public(dir);
		if (r)
			return fail(r, why,
				    "cannot make the directory %s for the socket %s: run as "
				    "root, or choose another place with --socket",
				    dir, path);
		*slash = '/';
	}
	return 0;
}

/* What is at path? 0: nothing; 1: the socket of a daemon that is gone. */
static int look(const char *path, struct sockaddr_un *sun, char *why)
{
	CLEANUP(closep) int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (strlen(path) >= sizeof(sun->sun_path))
		return fail(-ENAMETOOLONG, why,
			    "the socket's path %s is longer than %zu bytes: choose a shorter "
			    "one with --socket",
			    path, sizeof(sun->sun_path) - 1);
	memcpy(sun->sun_path, path, strlen(path));
	if (probe < 0)
		return fail(-errno, why, "cannot make a socket");
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail(-errno, why, "cannot look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return fail(-EEXIST, why,
			    "%s is there and is not a socket: remove it, or choose another "
			    "place with --socket",
			    path);
	if (connect(probe, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN)
		return fail(-EADDRINUSE, why,
			    "another daemon answers on %s: stop it first, or choose another "
			    "place with --socket",
			    path);
	if (errno != ECONNREFUSED)
		return fail(-errno, why, "cannot tell whether a daemon answers on %s", path);
	return 1;
}

/* 0: path is free now. What answers there is never touched. */
static int make_way(const char *path, struct sockaddr_un *sun, char *why)
{
	int r = look(path, sun, why);

	if (r <= 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(-errno, why,
			    "cannot remove the socket %s of a daemon that is gone: remove it",
			    path);
	log_info(SUB, "replaced the socket %s of a daemon that is gone", path);
	return 0;
}

int http_check_unix(const char *path, char *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	CLEANUP(freep) char *dir = strdup(path);
	char *slash;
	int r;

	if (!dir)
		return -ENOMEM;
	do { /* up to what is there */
		slash = strrchr(dir, '/');
		if (slash)
			*slash = '\0';
	} while (slash && slash != dir && access(dir, F_OK) && errno == ENOENT);
	if (access(slash == dir ? "/" : slash ? dir : ".", W_OK | X_OK))
		return fail(-errno, why,
			    "the socket %s cannot be made in %s: run as root, or choose another "
			    "place with --socket",
			    path, slash == dir ? "/" : dir);
	r = look(path, &sun, why);
	return r < 0 ? r : 0;
}

int http_listen_unix(const char *path, struct stat *ret_st, int *ret_fd, char *why)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int r;

	r = make_parents(path, why);
	if (r)
		return r;
	r = make_way(path, &sun, why);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(-errno, why, "cannot make a socket");
	/* Until the chmod only this user can connect: writing is what a connect needs. */
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || lstat(path, &st) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return fail(-errno, why,
			    "cannot listen on %s: check the directory's permissions, or "
			    "choose another place with --socket",
			    path);
	*ret_st = st;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int http_listen_tcp(const struct addr *address, uint16_t port, int *ret_fd, char *why)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool v4 = addr_is_v4(address);
	const struct sockaddr *sa = v4 ? (struct sockaddr *)&in4 : (struct sockaddr *)&in6;
	CLEANUP(closep) int fd = -1;
	const int on = 1;
	char text[48];

	memcpy(&in6.sin6_addr, address->bytes, 16);
	memcpy(&in4.sin_addr, address->bytes + 12, 4);
	format_addr(text, sizeof(text), address);
	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(-errno, why, "cannot make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, sa, v4 ? sizeof(in4) : sizeof(in6)) < 0 || listen(fd, BACKLOG) < 0)
		return fail(-errno, why,
			    "cannot listen on %s%s%s:%u: choose another place with "
			    "--metrics ADDR:PORT, or --metrics off",
			    v4 ? "" : "[", text, v4 ? "" : "]", port);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
