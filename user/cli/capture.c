/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `capture NAME`: refused packets, as the daemon writes them, to a file or another program. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

struct writing {
	int fd;
	int error;
};

/* Whoever reads it, live, gets it as it comes. */
static int write_all(void *data, const char *bytes, size_t len)
{
	struct writing *w = data;

	while (len) {
		ssize_t n = write(w->fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			w->error = errno;
			return -ECANCELED;
		}
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int open_output(const struct context *context, int *ret_fd)
{
	const char *path = context->args.write;

	*ret_fd = STDOUT_FILENO;
	if (path && strcmp(path, "-") != 0) {
		*ret_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (*ret_fd < 0)
			return command_fail(context, EXIT_FAILED, "not_written", "",
					    "cannot write to %.200s: %s", path, strerror(errno));
	} else if (!path && isatty(STDOUT_FILENO)) {
		return command_fail(context, EXIT_USAGE, "usage", "-w FILE, or \"| tshark -r -\"",
				    "packets are not for a terminal");
	}
	return EXIT_DONE;
}

int run_capture(struct context *context)
{
	const struct args *args = &context->args;
	CLEANUP(buf_done) struct buf target = BUF(16384);
	struct writing w = { .fd = -1 };
	struct client_request q = {
		.socket = context->socket, .method = "GET", .bytes = write_all, .data = &w
	};
	int status = args->json
			     ? command_fail(context, EXIT_USAGE, "usage", "tshark -T json reads it",
					    "packets have one format, pcapng")
			     : open_output(context, &w.fd);

	if (status != EXIT_DONE)
		return status;
	buf_printf(&target, "/v1/capture?follow=%d", args->follow);
	client_add_query(&target, "server", args->operand[0]);
	q.target = buf_str(&target);
	status = buf_error(&target)
			 ? command_fail(context, EXIT_USAGE, "usage", "", "the name is too long")
			 : command_call(context, &q, NULL, NULL);
	if (w.error && w.error != EPIPE)
		status = command_fail(context, EXIT_FAILED, "not_written", "",
				      "cannot write what came: %s", strerror(w.error));
	if (w.fd != STDOUT_FILENO)
		close(w.fd);
	return w.error == EPIPE ? EXIT_DONE : status;
}
