/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happened, on disk: events as lines of JSON, and samples of scores and states, in one SQLite
 * file in write-ahead mode, so that a process that is killed loses at most what it had not committed.
 * Bounded by age and by size. Nothing that is enforced is read from it; who opens it with the
 * sqlite3 shell reads the same.
 *
 * Failures are returned, not logged: who uses it says them once, and goes on without.
 */
#ifndef SWITCHGEAR_IO_HISTORY_H
#define SWITCHGEAR_IO_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define HISTORY_FILE "history.db"
#define HISTORY_VERSION 1
#define HISTORY_WHY_MAX 256

struct history;

struct history_limits {
	uint64_t age_ns;     /* older rows go */
	uint64_t size_bytes; /* when the file is larger, the oldest rows go first */
};

/* Makes the file (0600) if it is missing. -EBADMSG: it is none, damaged, or of a newer version, and
 * stays as it is; -errno; in each case with why, of HISTORY_WHY_MAX bytes. */
int history_open(const char *path, const struct history_limits *limits, struct history **ret,
		 char *why) MUST_CHECK;
/* The one in a state directory, for reading beside who writes it; NULL: it cannot be read, which who writes it says. */
struct history *history_in(const char *state_dir) MUST_CHECK;
void history_close(struct history *h); /* commits; NULL-safe */

struct history_event {
	uint64_t wall_ns;
	const char *server; /* "": none */
	const char *type;
	const char *line; /* JSON without line break */
	uint64_t id;      /* its serial, which no other has; 0: the next one */
};

struct history_sample {
	uint64_t wall_ns;
	const char *server;
	double score; /* NAN: none */
	const char *state;
	bool quarantined;
};

/* Both are in the next commit. -ENOSPC, -EIO, -EBADMSG (damaged), -ENOMEM. */
int history_add_event(struct history *h, const struct history_event *e) MUST_CHECK;
int history_add_sample(struct history *h, const struct history_sample *s) MUST_CHECK;
/* What was added is on its way to the disk: it survives this process, not a loss of power.
 * -ESTALE: the file is not at its path any more, and nothing of it is kept; open it anew. */
int history_commit(struct history *h) MUST_CHECK;
/* Takes away what is beyond the limits, in small pieces: false when there may be more. */
int history_prune(struct history *h, uint64_t wall_ns, bool *ret_done) MUST_CHECK;

/* Oldest first; fn returns false to end it. server NULL: all. */
typedef bool history_event_fn(void *data, const struct history_event *e);
typedef bool history_sample_fn(void *data, const struct history_sample *s);
int history_events(struct history *h, const char *server, uint64_t from_wall_ns,
		   uint64_t to_wall_ns, history_event_fn *fn, void *data) MUST_CHECK;
/* At most so many of those behind `after`, in the order of their serials. */
int history_events_after(struct history *h, uint64_t after, unsigned int limit,
			 history_event_fn *fn, void *data) MUST_CHECK;
/* The serial of the newest event; before wall_ns, UINT64_MAX: of all. 0: there is none. */
int history_newest(struct history *h, uint64_t wall_ns, uint64_t *ret_id) MUST_CHECK;
int history_has(struct history *h, uint64_t id, bool *ret) MUST_CHECK;
/* Begins with what held at from_wall_ns: the latest sample before it. */
int history_samples(struct history *h, const char *server, uint64_t from_wall_ns,
		    history_sample_fn *fn, void *data) MUST_CHECK;

const char *history_why(const struct history *h); /* of the latest failure, for people */

static inline void history_closep(struct history **h)
{
	history_close(*h);
}

#endif
