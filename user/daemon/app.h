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
#include "core/engine.h"
#include "core/names.h"
#include "core/status.h"
#include "daemon/options.h"
#include "io/bpf.h"
#include "io/http.h"
#include "io/locals.h"
#include "io/loop.h"
#include "io/netns.h"
#include "io/resolver.h"
#include "io/store.h"

#define APP_ADDRS_MAX RESOLVER_ADDRS_MAX
#define APP_HISTORY_EVENTS 1024
#define APP_HISTORY_CALLS 4096
#define APP_FOLLOWERS_MAX 32
#define APP_TICK_NS (100 * NS_PER_MS)
#define APP_SELFTEST_NS (60 * NS_PER_SEC)

struct app;

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
	uint32_t seq;      /* of the latest transition that is known */
	uint32_t made_up;  /* of one whose record was lost; 0: none */
	bool kill_wanted;
	bool kill_again; /* once more after connects in flight have landed */
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
	uint64_t swept_ns;
	struct sg_sweep sweep;
	uint64_t lost_seen;
	int canary_fd;
	int control_fd;
	uint16_t canary_port;
	uint16_t control_port;
	char selftest[128]; /* "ok", or what failed */
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
/* Configuration and host, without changing anything; 0 if it would start. */
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
void app_alarm(struct app *app, const char *server, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* kill.c */
struct app_kill {
	uint32_t killed;
	uint32_t survivors;
	uint32_t busy;
};
/* Kills what must die of a server, in all namespaces, until nothing is found. */
int app_kill_pass(struct app *app, uint32_t server, struct app_kill *ret) MUST_CHECK;
void app_kill_wanted(struct app *app);
int app_adopt(struct app *app) MUST_CHECK;
/* strays.c: kills connections older than the load to a quarantined server where they could
 * not be adopted; adds to *kill. */
int app_kill_strays(struct app *app, uint32_t server, struct app_kill *kill) MUST_CHECK;

/* orders.c: what people ask for; 0, or -errno with a sentence in why */
int app_quarantine(struct app_server *s, const struct request *q, const char *by,
		   struct reply_kill *ret, char *why, size_t why_size) MUST_CHECK;
int app_release(struct app_server *s, const char *by) MUST_CHECK;
int app_order(struct app_server *s, const struct request *q) MUST_CHECK;
/* A quarantine whose time is over ends here. */
void app_quarantine_expire(struct app *app, uint64_t now);

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
