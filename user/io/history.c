/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/history.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRUNED_AT_ONCE 2000 /* rows: others want to run, too */
#define STATEMENTS_MAX 6

/* What is prepared once. */
enum statement {
	ADD_EVENT,
	ADD_SAMPLE,
	PRUNE_EVENTS,
	PRUNE_SAMPLES,
	OLDEST_EVENTS,
	OLDEST_SAMPLES,
	STATEMENT_COUNT
};

static const char *const texts[STATEMENT_COUNT] = {
	[ADD_EVENT] = "INSERT INTO event(id, t, server, type, line) "
		      "VALUES(?5, ?1, ?2, ?3, ?4)",
	[ADD_SAMPLE] = "INSERT INTO sample(t, server, score, state, quarantined) "
		       "VALUES(?1, ?2, ?3, ?4, ?5)",
	[PRUNE_EVENTS] = "DELETE FROM event WHERE id IN "
			 "(SELECT id FROM event WHERE t < ?1 ORDER BY t LIMIT ?2)",
	[PRUNE_SAMPLES] = "DELETE FROM sample WHERE id IN "
			  "(SELECT id FROM sample WHERE t < ?1 ORDER BY t LIMIT ?2)",
	[OLDEST_EVENTS] = "DELETE FROM event WHERE id IN "
			  "(SELECT id FROM event ORDER BY t LIMIT ?1)",
	[OLDEST_SAMPLES] = "DELETE FROM sample WHERE id IN "
			   "(SELECT id FROM sample ORDER BY t LIMIT ?1)",
};

struct history {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct history_limits limits;
	bool open; /* a transaction */
	char why[HISTORY_WHY_MAX];
};

static int error_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	default:
		return -EIO;
	}
}

/* 0, or -errno with why. */
static int said(struct history *h, int code)
{
	int r = error_of(code);

	if (r)
		snprintf(h->why, sizeof(h->why), "%s", sqlite3_errmsg(h->db));
	return r;
}

static int run(struct history *h, const char *text)
{
	return said(h, sqlite3_exec(h->db, text, NULL, NULL, NULL));
}

/* --- the file --------------------------------------------------------------------------------- */

static int version_of(struct history *h, int *ret)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(h->db, "PRAGMA user_version", -1, &s, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	*ret = code == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
	sqlite3_finalize(s);
	return said(h, code);
}

static int make_tables(struct history *h)
{
	return run(h, "BEGIN;"
		      "CREATE TABLE event(id INTEGER PRIMARY KEY, t INTEGER NOT NULL, "
		      "server TEXT NOT NULL, type TEXT NOT NULL, line TEXT NOT NULL);"
		      "CREATE INDEX event_t ON event(t);"
		      "CREATE INDEX event_server ON event(server, t);"
		      "CREATE TABLE sample(id INTEGER PRIMARY KEY, t INTEGER NOT NULL, "
		      "server TEXT NOT NULL, score REAL, state TEXT NOT NULL, "
		      "quarantined INTEGER NOT NULL);"
		      "CREATE INDEX sample_t ON sample(t);"
		      "CREATE INDEX sample_server ON sample(server, t);"
		      "PRAGMA user_version = 1;"
		      "COMMIT;");
}

static int set_up(struct history *h)
{
	int version = 0;
	int r = run(h, "PRAGMA auto_vacuum = INCREMENTAL;" /* before there is anything */
		       "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		       "PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 256;");

	if (!r)
		r = version_of(h, &version);
	if (!r && version > HISTORY_VERSION) {
		snprintf(h->why, sizeof(h->why), "it is of version %d, this daemon knows %d",
			 version, HISTORY_VERSION);
		return -EBADMSG;
	}
	if (!r && !version)
		r = make_tables(h);
	for (int i = 0; i < STATEMENT_COUNT && !r; i++)
		r = said(h, sqlite3_prepare_v3(h->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					       &h->statements[i], NULL));
	return r;
}

/* With its mode before anything is in it. */
static int make_file(const char *path, char *why)
{
	CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
		return 0;
	snprintf(why, HISTORY_WHY_MAX, "%s", fd < 0 ? strerror(errno) : "it is no file");
	return fd < 0 ? -errno : -EBADMSG;
}

static int opened(const char *path, int flags, struct history *h)
{
	int r = error_of(sqlite3_open_v2(path, &h->db, flags | SQLITE_OPEN_NOMUTEX, NULL));

	if (r)
		snprintf(h->why, sizeof(h->why), "%s",
			 h->db ? sqlite3_errmsg(h->db) : strerror(-r));
	return r;
}

int history_open(const char *path, const struct history_limits *limits, struct history **ret,
		 char *why)
{
	CLEANUP(history_closep) struct history *h = NULL;
	int r = make_file(path, why);

	if (r)
		return r;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->limits = *limits;
	r = opened(path, SQLITE_OPEN_READWRITE, h);
	if (!r)
		r = set_up(h);
	if (r) {
		snprintf(why, HISTORY_WHY_MAX, "%s", h->why);
		return r;
	}
	*ret = TAKE_PTR(h);
	return 0;
}

struct history *history_in(const char *state_dir)
{
	CLEANUP(history_closep) struct history *h = NULL;
	char path[320];

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, state_dir);
	if (access(path, F_OK))
		return NULL;
	h = calloc(1, sizeof(*h));
	return h && !opened(path, SQLITE_OPEN_READONLY, h) ? TAKE_PTR(h) : NULL;
}

void history_close(struct history *h)
{
	if (!h)
		return;
	(void)!history_commit(h);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(h->statements[i]);
	sqlite3_close(h->db);
	free(h);
}

const char *history_why(const struct history *h)
{
	return h->why;
}

static void bind_time(sqlite3_stmt *s, int at, uint64_t wall_ns)
{
	sqlite3_bind_int64(s, at, wall_ns < INT64_MAX ? (sqlite3_int64)wall_ns : INT64_MAX);
}

/* --- writing ----------------------------------------------------------------------------------- */

static int begin(struct history *h)
{
	int r = h->open ? 0 : run(h, "BEGIN IMMEDIATE");

	h->open = !r;
	return r;
}

/* Ends a statement of which the parameters are bound. */
static int step(struct history *h, enum statement which)
{
	sqlite3_stmt *s = h->statements[which];
	int r = said(h, sqlite3_step(s));

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

int history_add_event(struct history *h, const struct history_event *e)
{
	sqlite3_stmt *s = h->statements[ADD_EVENT];
	int r = begin(h);

	if (r)
		return r;
	bind_time(s, 1, e->wall_ns);
	sqlite3_bind_text(s, 2, e->server, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, e->type, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, e->line, -1, SQLITE_STATIC);
	if (e->id && e->id <= INT64_MAX)
		sqlite3_bind_int64(s, 5, (sqlite3_int64)e->id);
	return step(h, ADD_EVENT);
}

int history_add_sample(struct history *h, const struct history_sample *sample)
{
	sqlite3_stmt *s = h->statements[ADD_SAMPLE];
	int r = begin(h);

	if (r)
		return r;
	bind_time(s, 1, sample->wall_ns);
	sqlite3_bind_text(s, 2, sample->server, -1, SQLITE_STATIC);
	if (!isnan(sample->score))
		sqlite3_bind_double(s, 3, sample->score);
	sqlite3_bind_text(s, 4, sample->state, -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 5, sample->quarantined);
	return step(h, ADD_SAMPLE);
}

/* Somebody took the file away: what is written to it is lost. */
static int still_there(struct history *h)
{
	int moved = 0;

	if (sqlite3_file_control(h->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) || !moved)
		return 0;
	snprintf(h->why, sizeof(h->why), "the file was moved or removed");
	return -ESTALE;
}

int history_commit(struct history *h)
{
	int r;

	if (!h->open)
		return 0;
	r = still_there(h);
	if (!r)
		r = run(h, "COMMIT");
	if (r) {
		char why[HISTORY_WHY_MAX];

		memcpy(why, h->why, sizeof(why));
		(void)!run(h, "ROLLBACK");
		memcpy(h->why, why, sizeof(why));
	}
	h->open = false;
	return r;
}

static int64_t pragma_number(struct history *h, const char *text)
{
	sqlite3_stmt *s = NULL;
	int64_t ret = 0;

	if (sqlite3_prepare_v2(h->db, text, -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		ret = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return ret;
}

/* Bytes in use: what is free in the file is used again. */
static uint64_t size_of(struct history *h)
{
	int64_t pages =
		pragma_number(h, "PRAGMA page_count") - pragma_number(h, "PRAGMA freelist_count");

	return (uint64_t)(pages * pragma_number(h, "PRAGMA page_size"));
}

static int prune_old(struct history *h, enum statement which, uint64_t before, bool *more)
{
	sqlite3_stmt *s = h->statements[which];
	int r;

	bind_time(s, 1, before);
	sqlite3_bind_int(s, 2, PRUNED_AT_ONCE);
	r = step(h, which);
	*more |= sqlite3_changes(h->db) == PRUNED_AT_ONCE;
	return r;
}

static int prune_oldest(struct history *h, enum statement which)
{
	sqlite3_bind_int(h->statements[which], 1, PRUNED_AT_ONCE);
	return step(h, which);
}

int history_prune(struct history *h, uint64_t wall_ns, bool *ret_done)
{
	uint64_t before = wall_ns > h->limits.age_ns ? wall_ns - h->limits.age_ns : 0;
	bool more = false;
	int r = begin(h);

	if (!r)
		r = prune_old(h, PRUNE_EVENTS, before, &more);
	if (!r)
		r = prune_old(h, PRUNE_SAMPLES, before, &more);
	if (!r && size_of(h) > h->limits.size_bytes) {
		more = true;
		r = prune_oldest(h, OLDEST_EVENTS);
		if (!r)
			r = prune_oldest(h, OLDEST_SAMPLES);
	}
	if (!r)
		r = history_commit(h);
	if (!r)
		r = run(h, "PRAGMA incremental_vacuum(256)");
	*ret_done = !more;
	return r;
}

/* --- reading ------------------------------------------------------------------------------------- */

static const char *text_of(sqlite3_stmt *s, int column)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	return text ? (const char *)text : "";
}

/* Runs a statement for events to its end, or until fn has enough; SQLite's code. */
static int each_event(sqlite3_stmt *s, history_event_fn *fn, void *data)
{
	bool wanted = true;
	int code = SQLITE_DONE;

	while (wanted && (code = sqlite3_step(s)) == SQLITE_ROW) {
		const struct history_event e = { (uint64_t)sqlite3_column_int64(s, 0),
						 text_of(s, 1), text_of(s, 2), text_of(s, 3),
						 (uint64_t)sqlite3_column_int64(s, 4) };

		wanted = fn(data, &e);
	}
	return code;
}

int history_events(struct history *h, const char *server, uint64_t from_wall_ns,
		   uint64_t to_wall_ns, history_event_fn *fn, void *data)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(h->db,
				      "SELECT t, server, type, line, id FROM event WHERE t >= ?1 "
				      "AND t < ?2 AND (?3 IS NULL OR server = ?3) ORDER BY t, id",
				      -1, &s, NULL);

	if (code == SQLITE_OK) {
		bind_time(s, 1, from_wall_ns);
		bind_time(s, 2, to_wall_ns);
		if (server)
			sqlite3_bind_text(s, 3, server, -1, SQLITE_STATIC);
		code = each_event(s, fn, data);
	}
	sqlite3_finalize(s);
	return said(h, code);
}

int history_events_after(struct history *h, uint64_t after, unsigned int limit,
			 history_event_fn *fn, void *data)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(h->db,
				      "SELECT t, server, type, line, id FROM event WHERE id > ?1 "
				      "ORDER BY id LIMIT ?2",
				      -1, &s, NULL);

	if (code == SQLITE_OK) {
		bind_time(s, 1, after);
		sqlite3_bind_int64(s, 2, limit);
		code = each_event(s, fn, data);
	}
	sqlite3_finalize(s);
	return said(h, code);
}

/* The first column of the first row of a query with one parameter; 0: there is none. */
static int one_number(struct history *h, const char *text, uint64_t parameter, uint64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(h->db, text, -1, &s, NULL);

	*ret = 0;
	if (code == SQLITE_OK) {
		bind_time(s, 1, parameter);
		code = sqlite3_step(s);
		if (code == SQLITE_ROW)
			*ret = (uint64_t)sqlite3_column_int64(s, 0);
	}
	sqlite3_finalize(s);
	return said(h, code);
}

int history_newest(struct history *h, uint64_t wall_ns, uint64_t *ret_id)
{
	if (wall_ns == UINT64_MAX)
		return one_number(h, "SELECT max(id) FROM event WHERE id <= ?1", wall_ns, ret_id);
	return one_number(h, "SELECT id FROM event WHERE t < ?1 ORDER BY t DESC, id DESC LIMIT 1",
			  wall_ns, ret_id);
}

int history_has(struct history *h, uint64_t id, bool *ret)
{
	uint64_t found = 0;
	int r = one_number(h, "SELECT id FROM event WHERE id = ?1", id, &found);

	*ret = found && found == id;
	return r;
}

int history_samples(struct history *h, const char *server, uint64_t from_wall_ns,
		    history_sample_fn *fn, void *data)
{
	sqlite3_stmt *s = NULL;
	bool wanted = true;
	int code =
		sqlite3_prepare_v2(h->db,
				   "SELECT t, server, score, state, quarantined FROM sample "
				   "WHERE server = ?2 AND t >= ifnull((SELECT max(t) FROM sample "
				   "WHERE server = ?2 AND t < ?1), ?1) ORDER BY t, id",
				   -1, &s, NULL);

	if (code == SQLITE_OK) {
		bind_time(s, 1, from_wall_ns);
		sqlite3_bind_text(s, 2, server, -1, SQLITE_STATIC);
		while (wanted && (code = sqlite3_step(s)) == SQLITE_ROW) {
			bool scored = sqlite3_column_type(s, 2) != SQLITE_NULL;
			const struct history_sample e = {
				(uint64_t)sqlite3_column_int64(s, 0), text_of(s, 1),
				scored ? sqlite3_column_double(s, 2) : NAN, text_of(s, 3),
				sqlite3_column_int(s, 4) != 0
			};

			wanted = fn(data, &e);
		}
	}
	sqlite3_finalize(s);
	return said(h, code);
}
