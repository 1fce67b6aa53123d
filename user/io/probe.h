/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One probe of one server: the sockets and the clock under codec/probe.h. Nothing
 * blocks; every turn has a connection of its own; a server can make it neither
 * read more than PROBE_ANSWER_MAX bytes a turn nor last longer than its
 * deadline, however slowly it drips. Plaintext only: an https server has no own
 * probe.
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

#include "base/cleanup.h"
#include "base/parse.h"
#include "codec/probe.h"

#define PROBE_ADDRS_MAX 4U /* tried one after the other, as agents do */
#define PROBE_FAREWELL_NS 2000000000ULL
#define PROBE_LATE_NS 1000000000ULL

struct probe;

/* Told of each socket before it connects, and before it is closed; NULL: nobody is. What
 * add returns other than 0 (-errno) is this host's own trouble. */
struct probe_own {
	int (*add)(void *data, int socket);
	void (*remove)(void *data, int socket);
	void *data;
};

struct probe_spec {
	const struct addr *addrs; /* n > 0; those beyond PROBE_ADDRS_MAX are left out */
	size_t n_addrs;
	uint16_t port;
	const char *host;          /* as in the configuration: no brackets, no port */
	const char *path;          /* see probe_path() */
	const char *version;       /* ours */
	enum probe_generation era; /* as an earlier probe found it, see probe_generation() */
	struct probe_own own;
	uint64_t connect_ns; /* for each connect */
	uint64_t limit_ns;   /* for everything but the farewell */
	uint64_t late_ns;    /* run so late, we slept, not the server; 0: PROBE_LATE_NS */
};

/*
 * Starts to connect. Everything is copied. -EINVAL if host or path cannot stand in a
 * request, -ENAMETOOLONG, -ENOMEM, -EMFILE. A socket that cannot be had, or a
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
bool probe_over(const struct probe *p);

static inline void probe_freep(struct probe **p)
{
	probe_free(*p);
}

#endif
