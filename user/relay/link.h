/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A socket on the loop, with what could not be sent yet. Who uses it reads when it is called, and
 * stops reading elsewhere while much is queued here.
 */
#ifndef SWITCHGEAR_RELAY_LINK_H
#define SWITCHGEAR_RELAY_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "io/loop.h"

#define LINK_PIECE 16384U         /* bytes that are read at a time */
#define LINK_HIGH (64U << 10)     /* more queued: nobody should add to it */
#define LINK_QUEUE_MAX (4U << 20) /* never more: a request or an answer of our own, whole */

struct link {
	struct loop_source *source; /* NULL: closed */
	int fd;
	struct buf out;
	size_t sent; /* bytes of it */
	bool reading;
	bool writing; /* waits for room */
};

/* `fd`, not blocking, is the link's if this succeeds. fn is called when something came, there is
 * room again, or the other side is gone. */
int link_open(struct link *l, struct loop *loop, int fd, loop_fn *fn, void *data) MUST_CHECK;
void link_close(struct link *l); /* may be called twice, not on zeros */

void link_read_on(struct link *l, bool reading);
/* Bytes, 0 at the end, -EAGAIN, else -errno. */
ssize_t link_recv(const struct link *l, char *out, size_t size);
/* Sends, and queues what does not fit. 0 or -errno: the link is of no use any more. */
int link_send(struct link *l, const char *data, size_t len) MUST_CHECK;
int link_flush(struct link *l) MUST_CHECK; /* what is queued, as far as there is room */
size_t link_queued(const struct link *l);
/* Waits for room as well, as while a connect is under way. */
void link_write_on(struct link *l, bool writing);

#endif
