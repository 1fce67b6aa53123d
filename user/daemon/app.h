/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The application: the only place where the parts are put together. One
 * object, one thread, one loop; the files beside this one each hold one
 * concern of it and share this header.
 *
 * Invariants:
 *  A1  The kernel's maps are the truth; what is kept here is a copy for showing.
 *  A2  A transition is on disk before it is reported (log, events).
 *  A3  Nothing in the loop waits for anything but the kernel and the disk.
 */
#ifndef SWITCHGEAR_DAEMON_APP_H
#define SWITCHGEAR_DAEMON_APP_H

#include "base/clock.h"
#include "base/log.h"
#include "codec/config.h"
#include "codec/messages.h"
#include "codec/state.h"
#include "core/baseline.h"
#include "core/blast.h"
#include "core/engine.h"
#include "core/group.h"
#include "core/names.h"
#include "core/status.h"
#include "daemon/options.h"
#include "dataplane/dataplane.h"
#include "io/http.h"
#include "dataplane/locals.h"
#include "io/loop.h"
#include "dataplane/netns.h"
#include "io/resolver.h"
#include "io/store.h"

#define APP_ADDRS_MAX RESOLVER_ADDRS_MAX
#define APP_HISTORY_EVENTS 1024
#define APP_HISTORY_CALLS 4096
#define APP_FOLLOWERS_MAX 32
#define APP_TICK_NS (100 * NS_PER_MS)
#define APP_SELFTEST_NS (60 * NS_PER_SEC)

struct app;
struct app_kill;

struct app_quarantine {
	bool active;
	uint64_t until_ns; /* boot time, SG_FOREVER */
	uint64_t since_wall_ns;
	char reason[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];
};

/* One server of the configuration. */
struct app_server {
	struct app *app;
	const struct config_server *config; /* in app->config */
	struct app_server *covered_by;      /* has the same endpoint: its breaker is ours */
	uint32_t id;                        /* SG_CANARY: the kernel does not know this server */
	struct engine engine;
	bool engine_ready;
	struct sg_breaker breaker; /* as last read */
	struct app_quarantine quarantine;
	struct addr addrs[APP_ADDRS_MAX];
	size_t addrs_n;
	bool resolved;           /* from DNS, at least once */
	char resolve_error[128]; /* "" while all is well */
	uint64_t resolve_next_ns;
	uint64_t question; /* to the resolver, not answered yet; 0: none */
	struct baseline baseline;
	uint64_t slow_ns;        /* the slow limit, as written into the kernel */
	uint32_t seq;            /* of the latest transition that is known */
	uint32_t made_up;        /* of one whose record was lost; 0: none */
	struct app_probe *probe; /* our own, see probe.c; NULL: there was none yet */
	bool kill_wanted;
	bool kill_again;           /* once more after connects in flight have landed */
	bool strays_wanted;        /* also those without a record */
	uint64_t unrecorded_ended; /* of its counter: so many were looked for, and none is left */
	uint32_t group;            /* see struct sg_server */
	bool held;                 /* it would have opened, a limit forbade it */
	bool held_by_group;        /* else by the blast limit */
	uint64_t held_ns;          /* the latest time; 0: never */
	/* What came of the latest kill, see app_kill_note(). */
	bool kill_counted;       /* kill_survivors is a number that somebody counted */
	uint32_t kill_survivors; /* valid if kill_counted */
	uint64_t kills_unproved; /* kills whose survivors nobody could count */
};

struct app_history {
	struct event *ring;
	size_t size;
	uint64_t next; /* events ever added */
};

struct app_follower {
	struct app *app;
	struct http_stream *stream; /* NULL: free */
	char server[SG_NAME_LEN];
	bool calls;
};

/* Limits across servers, see groups.c. */
struct app_groups {
	struct blast blast;
	uint32_t blast_limit; /* of SG_GROUP_ALL, as written; 0: not yet */
	uint64_t rest_ns;
	uint32_t written[SG_GROUPS_MAX]; /* limit + 1; 0: not yet */
	bool look;                       /* places of SG_GROUP_ALL may have been taken */
};

struct app {
	struct options options;
	char *pin_dir; /* what holds: options, configuration, default */
	char *socket;
	char *state_dir;
	char *metrics;
	char *cgroup;
	bool observe;
	gid_t api_group;
	bool has_api_group;

	struct config *config;
	struct app_server **servers;
	size_t servers_n;
	uint64_t questions; /* ever asked: their ids */
	struct app_groups groups;

	struct loop *loop;
	struct dataplane *dp;
	struct store *store;
	struct netns *netns;
	struct locals *locals;
	struct resolver *resolver;
	struct http *api;
	struct http *exporter;
	struct loop_timer *tick;
	struct loop_timer *due;
	struct loop_timer *again;
	struct loop_timer *selftest_timer;
	struct loop_timer *http_timer;
	struct loop_timer *resolver_timer;

	uint64_t start_ns;
	uint64_t forgot_ns; /* when records without a socket were last looked for */
	uint64_t lost_seen;
	int canary_fd;
	int control_fd;
	int target_fd;
	uint16_t canary_port;
	uint16_t control_port;
	uint16_t target_port;
	char selftest[256]; /* "ok", or what failed */
	uint64_t selftest_ok_ns;
	size_t links_gone;
	struct app_history events;
	struct app_history calls;
	struct app_follower followers[APP_FOLLOWERS_MAX];
	struct event *pending; /* to be reported once they are on disk */
	size_t pending_n;
	size_t pending_cap;
	bool dirty; /* the state on disk is older than the kernel's */
	char store_error[256];
	char map_error[256]; /* "" while every endpoint has its place */
	char boot_id[STATE_BOOT_ID_LEN];
	bool detach; /* remove everything at the end */
};

/* app.c */
int app_new(const struct options *options, struct app **ret) MUST_CHECK;
int app_run(struct app *app) MUST_CHECK;
void app_free(struct app *app);
static inline void app_freep(struct app **app)
{
	app_free(*app);
}
/* Sets the timer for whatever comes next by time. */
void app_schedule(struct app *app);
/* Configuration and host, without changing anything; 0 if it would start and enforce all. */
int app_check(const struct options *options) MUST_CHECK;

/* config.c */
int app_config_read(const struct options *options, struct config **ret) MUST_CHECK;
/* Reads the configuration again; a bad one changes nothing. */
void app_reload(struct app *app);

/* servers.c */
int app_servers_apply(struct app *app, struct config *config) MUST_CHECK;
void app_servers_free(struct app *app);
struct app_server *app_server_by_id(struct app *app, uint32_t id);
struct app_server *app_server_by_name(struct app *app, const char *name);
int app_server_endpoints(struct app_server *s) MUST_CHECK;
int app_server_configure(struct app_server *s) MUST_CHECK; /* flags, policy, next opening */
int app_server_read(struct app_server *s) MUST_CHECK;      /* refreshes s->breaker */

/* resolve.c */
int app_resolve_start(struct app *app) MUST_CHECK;
void app_resolve_due(struct app *app, uint64_t now);
uint64_t app_resolve_next(const struct app *app);

/* events.c */
void app_events_read(struct app *app);
void app_report(struct app *app, const struct event *e); /* A2: after the next save */
void app_flush(struct app *app);                         /* saves, then reports */
void app_event_init(struct event *e, enum event_type type, const char *server);
/* What app_kill_pass() did and returned, in an event: with an error the survivors are unknown. */
void app_event_killed(struct event *e, const struct app_kill *kill, int error);
void app_alarm(struct app *app, const char *server, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* kill.c */
struct app_kill {
	uint32_t killed;
	uint32_t survivors; /* STATUS_UNKNOWN: nobody could count them */
	uint32_t busy;      /* the same */
};
/* Kills what must die of a server, in all namespaces, until nothing is found; with `strays`
 * also what has no record, if there can be any. -errno: nobody could count the survivors. */
int app_kill_pass(struct app *app, struct app_server *s, bool strays,
		  struct app_kill *ret) MUST_CHECK;
/* Connects to the server without a record since those before were all killed. */
uint64_t app_unrecorded(struct app *app, const struct app_server *s);
void app_kill_wanted(struct app *app);
int app_adopt(struct app *app) MUST_CHECK;

/* probe.c: the first probe of a half-open server is our own, where its URL allows it */
bool app_probe_possible(const struct app_server *s); /* by its configuration: SG_SRV_PROBED */
/* Takes a token and begins, or waits for a place; 0, or -errno: agents' calls are the
 * probes (-ENOTSUP no plaintext URL, no address or quarantined; -EAGAIN no token). */
int app_probe_start(struct app_server *s) MUST_CHECK;
/* The breaker's state changed: begins a probe, or gives up one without verdict. */
void app_probe_moved(struct app_server *s, enum sg_state to);
void app_probe_free(struct app_server *s); /* gives its token back; NULL in it is fine */

/* orders.c: what people ask for; 0, or -errno with a sentence in why */
/* With 0 the quarantine is set, and why is "" or a warning; whether all connections were
 * killed is in *ret. */
int app_quarantine(struct app_server *s, const struct request *q, const char *by,
		   struct reply_kill *ret, char *why, size_t why_size) MUST_CHECK;
int app_release(struct app_server *s, const char *by) MUST_CHECK;
int app_order(struct app_server *s, const struct request *q) MUST_CHECK;
/* What a kill came to, for the metrics: once by whoever called app_kill_pass(), with what
 * that returned. With an error, whatever *kill says, nobody knows who survived. */
void app_kill_note(struct app_server *s, const struct app_kill *kill, int error);
/* The map is the truth (A1): what others wrote into it is shown and carried out to the end. */
void app_quarantine_sync(struct app *app, uint64_t now);
/* A quarantine whose time is over ends here. */
void app_quarantine_expire(struct app *app, uint64_t now);

/* groups.c: the floor of groups, the blast limit, and whom they hold */
/* After app_servers_apply() made the servers: who forms a group, and its limit. */
int app_groups_apply(struct app *app) MUST_CHECK;
/* A server that is in the kernel already: its group there, and that it had traffic. */
int app_group_adopt(struct app_server *s) MUST_CHECK;
void app_group_forget(struct app *app, uint32_t id);
/* Writes the limit of a group (0: nothing) whose members or their quarantine changed. */
void app_group_refresh(struct app *app, uint32_t group);
void app_groups_tick(struct app *app, uint64_t now);
void app_group_outcome(struct app_server *s, const struct sg_event *k);
void app_group_moved(struct app_server *s);
/* A limit forbade its opening. One alarm for each burst. */
void app_group_held(struct app_server *s, uint64_t now);
bool app_group_panic(const struct app_server *s); /* held, as the last usable of its group */
struct group_count app_group_count(const struct app *app, uint32_t group);
/* How many of a group may be open; SG_UNLIMITED for 0. */
uint32_t app_group_limit(const struct app *app, uint32_t group);

/* state.c */
void app_state_load(struct app *app, struct state *ret);
int app_state_save(struct app *app) MUST_CHECK;

/* selftest.c */
int app_canary(struct app *app) MUST_CHECK;
void app_selftest(struct app *app, struct reply_selftest *ret);

/* report.c */
int app_status(struct app *app, struct status *ret) MUST_CHECK;
int app_status_server(struct app *app, const struct app_server *s,
		      struct status_server *ret) MUST_CHECK;

/* How many things keep this host or its configuration from working as they should. */
size_t app_degraded(struct app *app);

/* exporter.c */
int app_metrics(struct app *app, struct buf *out) MUST_CHECK;

/* api.c */
int app_api_start(struct app *app) MUST_CHECK;
void app_follow_push(struct app *app, const struct event *e);
void app_http_touch(struct app *app); /* after anything that queued output */

#endif
