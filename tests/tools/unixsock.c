/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A server at a Unix socket, and who connects to one. */
#include <sys/un.h>
#include <sys/wait.h>

#include "util.h"

static const char usage[] =
	"usage: unixsock listen TYPE NAME\n"
	"       unixsock connect TYPE NAME [--root DIR] [--chdir DIR] [--count N] [--pad]\n"
	"                [--later]\n"
	"TYPE is stream, seqpacket or dgram; NAME a path, or @NAME for an abstract one.\n"
	"listen prints \"ready\", and sends back what comes on any connection.\n"
	"connect prints \"ok\", or the name of the error; with\n"
	"--root DIR   in that root directory\n"
	"--chdir DIR  in that working directory\n"
	"--count N    N times, and the microseconds that one took in the mean\n"
	"--pad        with zeros behind the name, as long as an address may be\n"
	"--later      and \"alive\" if an answer comes to what is sent when a line comes in\n"
	"Exit status: 0 connected, 1 not, 2 usage or setup failed.\n";

static int type_of(const char *word)
{
	if (!strcmp(word, "stream"))
		return SOCK_STREAM;
	if (!strcmp(word, "seqpacket"))
		return SOCK_SEQPACKET;
	if (!strcmp(word, "dgram"))
		return SOCK_DGRAM;
	die("unixsock: no type \"%s\"\n%s", word, usage);
}

static struct sockaddr_un address(const char *name, bool pad, socklen_t *ret_len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(name);

	if (len >= sizeof(sun.sun_path))
		die("unixsock: the name is too long");
	memcpy(sun.sun_path, name, len);
	if (*name == '@')
		sun.sun_path[0] = '\0';
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name != '@'));
	if (pad)
		*ret_len = sizeof(sun);
	return sun;
}

static int open_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("unixsock: socket: %s", strerror(errno));
	return fd;
}

/* Each connection by a child, which ends with it. */
static int serve(int type, const char *name)
{
	socklen_t len;
	struct sockaddr_un sun = address(name, false, &len);
	int fd = open_socket(type);
	char byte;

	if (bind(fd, (struct sockaddr *)&sun, len) || (type != SOCK_DGRAM && listen(fd, 128)))
		die("unixsock: %s: %s", name, strerror(errno));
	puts("ready");
	fflush(stdout);
	while (type == SOCK_DGRAM)
		(void)!recv(fd, &byte, 1, 0);
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		pid_t pid = peer < 0 ? -1 : fork();

		if (!pid) {
			while (recv(peer, &byte, 1, 0) == 1 &&
			       send(peer, &byte, 1, MSG_NOSIGNAL) == 1)
				;
			_exit(0);
		}
		close(peer);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static int later(int fd)
{
	char line[8];
	char byte = 'x';

	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1) {
		puts(strerrorname_np(errno));
		return 1;
	}
	puts("alive");
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_un sun;
	bool waits = false;
	bool pad = false;
	long count = 1;
	double start;
	socklen_t len;
	int type;
	int fd = -1;
	int r = 0;

	if (argc < 4)
		die("%s", usage);
	type = type_of(argv[2]);
	if (!strcmp(argv[1], "listen"))
		return serve(type, argv[3]);
	if (strcmp(argv[1], "connect") != 0)
		die("%s", usage);
	for (int i = 4; i < argc; i++) {
		if (!strcmp(argv[i], "--pad"))
			pad = true;
		else if (!strcmp(argv[i], "--later"))
			waits = true;
		else if (!strcmp(argv[i], "--count") && i + 1 < argc)
			count = strtol(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--root") && i + 1 < argc)
			r = chroot(argv[++i]) || chdir("/");
		else if (!strcmp(argv[i], "--chdir") && i + 1 < argc)
			r = chdir(argv[++i]);
		else
			die("%s", usage);
		if (r)
			die("unixsock: %s: %s", argv[i], strerror(errno));
	}
	sun = address(argv[3], pad, &len);
	start = now_ms();
	for (long i = 0; i < count && !r; i++) {
		if (fd >= 0)
			close(fd);
		fd = open_socket(type);
		r = connect(fd, (struct sockaddr *)&sun, len) ? errno : 0;
	}
	if (count > 1)
		printf("%.3f us\n", (now_ms() - start) * 1e3 / (double)count);
	puts(r ? strerrorname_np(r) : "ok");
	if (!r && waits)
		return later(fd);
	return r != 0;
}
