/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int link_open(struct link *l, struct loop *loop, int fd, loop_fn *fn, void *data)
{
	*l = (struct link){ .fd = -1, .out = BUF(LINK_QUEUE_MAX), .reading = true };
	if (loop_add_fd(loop, fd, fn, data, &l->source))
		return -ENOMEM;
	l->fd = fd;
	return 0;
}

void link_close(struct link *l)
{
	loop_del(TAKE_PTR(l->source));
	closep(&l->fd);
	l->fd = -1;
	buf_done(&l->out);
	l->sent = 0;
}

static void watch(struct link *l)
{
	if (l->source)
		loop_watch(l->source, l->reading, l->writing);
}

void link_read_on(struct link *l, bool reading)
{
	if (l->reading == reading)
		return;
	l->reading = reading;
	watch(l);
}

void link_write_on(struct link *l, bool writing)
{
	if (l->writing == writing)
		return;
	l->writing = writing;
	watch(l);
}

ssize_t link_recv(const struct link *l, char *out, size_t size)
{
	ssize_t n;

	do
		n = recv(l->fd, out, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* As much as goes. */
static ssize_t push(const struct link *l, const char *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = send(l->fd, data + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			at += (size_t)n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)at;
}

int link_send(struct link *l, const char *data, size_t len)
{
	ssize_t n = link_queued(l) || l->writing ? 0 : push(l, data, len);

	if (n < 0)
		return (int)n;
	if ((size_t)n < len) {
		buf_append(&l->out, data + n, len - (size_t)n);
		link_write_on(l, true);
	}
	return buf_error(&l->out);
}

int link_flush(struct link *l)
{
	ssize_t n = push(l, buf_str(&l->out) + l->sent, link_queued(l));

	if (n < 0)
		return (int)n;
	l->sent += (size_t)n;
	/* what was sent makes room before the buffer would have to grow */
	if (l->sent == l->out.len) {
		buf_clear(&l->out);
		l->sent = 0;
	} else if (l->sent > LINK_HIGH) {
		memmove(l->out.data, l->out.data + l->sent, l->out.len - l->sent + 1);
		l->out.len -= l->sent;
		l->sent = 0;
	}
	link_write_on(l, link_queued(l) > 0);
	return 0;
}

size_t link_queued(const struct link *l)
{
	return l->out.len - l->sent;
}
