/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One probe of one server: the sockets and the clock under codec/probe.h. Nothing
 * blocks; every turn has a connection of its own; a server can make it neither
 * read more than PROBE_ANSWER_MAX bytes a turn nor last longer than its
 * deadline, however slowly it drips. Over TLS if the caller brings one.
 *
 * The caller watches probe_fd() for reading, calls probe_run() when it is readable
 * and when probe_due_ns() is reached, looks at probe_result() after each call,
 * and frees the probe when probe_over(). Between the two a session that the
 * probe began is ended, for PROBE_FAREWELL_NS at most; freeing it earlier only
 * leaves that session to the server's own timeout.
 */
#ifndef SWITCHGEAR_IO_PROBE_H
#define SWITCHGEAR_IO_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "codec/probe.h"
#include "io/probe_job.h"

#define PROBE_FAREWELL_NS 2000000000ULL
#define PROBE_LATE_NS 1000000000ULL
#define PROBE_SHAKE_NS 20000000ULL

struct probe;

/* Told of each socket before it connects; NULL: nobody is. What add returns other than 0
 * (-errno) is this host's own trouble. */
struct probe_own {
	int (*add)(void *data, int socket);
	void *data;
};

/* What came of a handshake that failed. */
struct probe_objection {
	enum sg_class class; /* SG_CALLER: says nothing of the server */
	enum sg_cause cause;
	char why[PROBE_WHY_MAX]; /* for people; "": nothing to tell */
};

/* TLS over a connected socket, which stays the probe's. Nothing blocks: -EAGAIN. */
struct probe_tls {
	int (*open)(int socket, const char *host, uint16_t port, void **ret); /* -errno */
	/* 0: done; -EAGAIN: when the socket is readable, or after PROBE_SHAKE_NS; -EPROTO: failed,
	 * *objection tells. */
	int (*shake)(void *tls, struct probe_objection *objection);
	ssize_t (*send)(void *tls, const void *data, size_t len); /* -errno */
	ssize_t (*recv)(void *tls, void *data, size_t len);       /* -errno; 0: the end */
	void (*close)(void *tls);                                 /* NULL-safe */
};

struct probe_spec {
	const struct probe_job *job;
	const char *version; /* ours */
	struct probe_own own;
	const struct probe_tls *tls; /* NULL: job->tls must not be set */
	uint64_t late_ns;            /* run so late, we slept, not the server; 0: PROBE_LATE_NS */
};

/*
 * Starts to connect. Everything is copied. -EINVAL if there is no address, or host or path
 * cannot stand in a request, -ENAMETOOLONG, -ENOMEM, -EMFILE. A socket that cannot be had, or a
 * connect that fails at once, is a result of the first probe_run().
 */
int probe_new(const struct probe_spec *spec, struct probe **ret) MUST_CHECK;
void probe_free(struct probe *p); /* NULL-safe; ends it wherever it is */

int probe_fd(const struct probe *p); /* borrowed, the same for ever; level-triggered */
/* Boot time at which probe_run() must be called; 0: at once, UINT64_MAX: never. */
uint64_t probe_due_ns(const struct probe *p);
void probe_run(struct probe *p);

/*
 * The verdict, borrowed; NULL as long as there is none. Time limits are hard failures;
 * what this host itself lacks (descriptors, a route, time asleep) is local. The
 * latency is that of the slowest turn, from the first byte sent to the last byte needed;
 * where no connection came about, since the connect.
 */
const struct probe_result *probe_result(const struct probe *p);
enum probe_generation probe_generation(const struct probe *p); /* found out, for the next one */
/* What TLS objected to, for people; "": nothing. */
const char *probe_objection(const struct probe *p);
/* Of job->tools, once there is a result: appends the encoded struct tools_answer. buf_error(). */
int probe_list(struct probe *p, struct buf *out) MUST_CHECK;
bool probe_over(const struct probe *p);

static inline void probe_freep(struct probe **p)
{
	probe_free(*p);
}

#endif
