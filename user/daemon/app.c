/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Start, wiring of the loop, and end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <linux/capability.h>

#include "daemon/app.h"
#include "daemon/check.h"
#include "daemon/file.h"
#include "dataplane/cgroup.h"
#include "dataplane/kill.h"
#include "io/notify.h"

#define SUB "switchgeard"
#define PIN_DIR "/sys/fs/bpf/switchgear/v1"
#define SOCKET "/run/switchgear/switchgear.sock"
#define STATE_DIR "/var/lib/switchgear"
#define METRICS "127.0.0.1:9464"
#define CHECK_TEXT_MAX 65536U

/* --- what this process may do ------------------------------------------------------------ */

static bool has_capability(unsigned int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[cap / 32].effective & 1U << cap % 32;
}

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as in the kernel. */
static int capabilities_check(void)
{
	static const struct {
		unsigned int cap;
		const char *name;
		bool admin_will_do;
		const char *what_for;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF", true, "loading BPF programs" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN", false, "attaching to cgroups and interfaces" },
		{ CAP_PERFMON, "CAP_PERFMON", true, "seeing socket state changes" },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (has_capability(needed[i].cap) ||
		    (needed[i].admin_will_do && has_capability(CAP_SYS_ADMIN)))
			continue;
		log_error(SUB,
			  "%s is missing (%s); run as root, or grant it "
			  "(AmbientCapabilities= in the unit)",
			  needed[i].name, needed[i].what_for);
		r = -EPERM;
	}
	if (!r && !has_capability(CAP_SYS_ADMIN))
		log_warning(SUB,
			    "CAP_SYS_ADMIN is missing: connections in other network namespaces "
			    "cannot be killed");
	if (!r && !has_capability(CAP_SYS_PTRACE))
		log_warning(SUB,
			    "CAP_SYS_PTRACE is missing: MPTCP connections that are killed hear of "
			    "it late, on kernels before 6.7 after a minute; connections in "
			    "network namespaces that only a socket keeps alive cannot be killed");
	return r;
}

/* --- settings: options over configuration over defaults -------------------------------------- */

static const char *first(const char *a, const char *b, const char *c)
{
	return a ? a : b ? b : c;
}

static int cgroup_settle(const char *wanted, char **ret)
{
	int r;

	if (!wanted || !strcmp(wanted, "auto"))
		return cgroup_find(ret);
	r = cgroup_check(wanted);
	if (r)
		return r;
	*ret = strdup(wanted);
	return *ret ? 0 : -ENOMEM;
}

/* A copy, since settings outlive the configuration they came from (reload). */
static int settle(const char *option, const char *config, const char *fallback, char **ret)
{
	*ret = strdup(first(option, config, fallback));
	return *ret ? 0 : -ENOMEM;
}

static int settings(struct app *app)
{
	const struct options *o = &app->options;
	const struct config *c = app->config;
	int r;

	app->observe = o->mode ? !strcmp(o->mode, "observe") : c->observe;
	r = settle(o->pin_dir, c->pin_dir, PIN_DIR, &app->pin_dir);
	if (!r)
		r = settle(o->socket, c->socket, SOCKET, &app->socket);
	if (!r)
		r = settle(o->state_dir, c->state_dir, STATE_DIR, &app->state_dir);
	if (!r)
		r = settle(o->metrics, c->metrics, METRICS, &app->metrics);
	return r ? r : cgroup_settle(first(o->cgroup, c->cgroup, NULL), &app->cgroup);
}

/* --- timers ------------------------------------------------------------------------------------ */

static void lease_renew(struct app *app, uint64_t now)
{
	dataplane_lease(app->dp, now + SG_LEASE_NS);
}

#define FORGET_NS (60 * NS_PER_SEC)
#define LOST_NS (120 * NS_PER_SEC) /* a record at rest for so long is asked for */

/* Looks for what only the clock ends, when something can have become due. */
static void sweep(struct app *app, uint64_t now)
{
	struct dataplane_sweep result;
	size_t lost;

	if (dataplane_sweep_due(app->dp) <= now)
		(void)!dataplane_sweep(app->dp, &result);
	if (now < app->forgot_ns + FORGET_NS)
		return;
	app->forgot_ns = now;
	(void)!kill_forget_lost(app->dp, app->netns, LOST_NS, &lost);
}

/* What went well wakes nobody: it is read here. */
static void on_tick(void *data)
{
	struct app *app = data;
	uint64_t now = clock_boot_ns();

	lease_renew(app, now);
	app_quarantine_sync(app, now);
	sweep(app, now);
	app_events_read(app);
	loop_timer_set(app->tick, now + APP_TICK_NS);
}

/* When something is next due for a server by time alone. */
static uint64_t server_due(const struct app_server *s, uint64_t now)
{
	uint64_t due = sg_breaker_due(&s->breaker);
	uint64_t change = engine_next_change_ns(&s->engine, now);

	if (change < due)
		due = change;
	if (s->quarantine.active && s->quarantine.until_ns < due)
		due = s->quarantine.until_ns;
	return due;
}

void app_schedule(struct app *app)
{
	uint64_t now = clock_boot_ns();
	uint64_t next = SG_FOREVER;

	for (size_t i = 0; i < app->servers_n; i++) {
		uint64_t due = app->servers[i]->engine_ready ? server_due(app->servers[i], now)
							     : SG_FOREVER;

		if (due < next)
			next = due;
	}
	if (app->due)
		loop_timer_set(app->due, next);
}

static void on_due(void *data)
{
	struct app *app = data;
	uint64_t now = clock_boot_ns();

	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];

		if (!s->engine_ready || server_due(s, now) > now)
			continue;
		(void)!app_server_read(s); /* carries out what is due */
		(void)!app_server_configure(s);
	}
	app_quarantine_expire(app, now);
	app_events_read(app);
}

static void on_again(void *data)
{
	struct app *app = data;

	for (size_t i = 0; i < app->servers_n; i++) {
		app->servers[i]->kill_wanted |= app->servers[i]->kill_again;
		app->servers[i]->strays_wanted |= app->servers[i]->kill_again;
		app->servers[i]->kill_again = false;
	}
	app_kill_wanted(app);
	app_flush(app);
}

static void on_selftest(void *data)
{
	struct app *app = data;
	struct reply_selftest result;

	app_selftest(app, &result);
	loop_timer_set(app->selftest_timer, clock_boot_ns() + APP_SELFTEST_NS);
}

static void resolver_schedule(struct app *app)
{
	uint64_t due = resolver_due_ns(app->resolver);
	uint64_t next = app_resolve_next(app);

	loop_timer_set(app->resolver_timer, due < next ? due : next);
}

static void on_resolver_timer(void *data)
{
	struct app *app = data;

	app_resolve_due(app, clock_boot_ns());
	resolver_schedule(app);
}

static void on_resolver(void *data, uint32_t ready)
{
	struct app *app = data;

	(void)ready;
	resolver_run(app->resolver);
	app_flush(app);
	resolver_schedule(app);
}

static void on_ring(void *data, uint32_t ready)
{
	(void)ready;
	app_events_read(data);
}

/* --- own addresses ---------------------------------------------------------------------------------- */

static int locals_apply(struct app *app)
{
	struct locals_list list;
	int r;

	r = locals_read(&list);
	if (r)
		return log_failure(r, SUB, "cannot read this host's addresses");
	r = dataplane_locals_set(app->dp, list.addrs, list.n);
	locals_list_done(&list);
	return r;
}

static void on_locals(void *data, uint32_t ready)
{
	struct app *app = data;

	(void)ready;
	if (locals_changed(app->locals) != 1 || locals_apply(app))
		return;
	for (size_t i = 0; i < app->servers_n; i++)
		if (app->servers[i]->id)
			(void)!app_server_endpoints(app->servers[i]);
}

/* --- signals ----------------------------------------------------------------------------------------- */

static void on_signal(void *data, int number)
{
	struct app *app = data;

	if (number == SIGHUP) {
		app_reload(app);
		return;
	}
	log_notice(SUB,
		   "stopping; enforcement stays in the kernel (\"switchgear detach\" removes it)");
	(void)!notify_stopping();
	loop_stop(app->loop, 0);
}

/* --- start ------------------------------------------------------------------------------------------------ */

static int boot_id_read(struct app *app)
{
	CLEANUP(freep) char *text = NULL;
	size_t len;
	int r = file_read("/proc/sys/kernel/random/boot_id", 256, &text, &len);

	if (r)
		return log_failure(r, SUB, "cannot read the boot id");
	snprintf(app->boot_id, sizeof(app->boot_id), "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

static int history_new(struct app_history *h, size_t size)
{
	h->ring = calloc(size, sizeof(*h->ring));
	h->size = size;
	return h->ring ? 0 : -ENOMEM;
}

static int plane_open(struct app *app)
{
	const char *interfaces[OPTIONS_INTERFACES_MAX + CONFIG_INTERFACES_MAX + 1] = { NULL };
	struct dataplane_options o = { .pin_dir = app->pin_dir,
				       .cgroup = app->cgroup,
				       .interfaces = interfaces,
				       .endpoints_max = app->config->limit_endpoints,
				       .observe = app->observe,
				       .without = getenv("SWITCHGEAR_WITHOUT") };
	size_t n = 0;
	int r;

	for (size_t i = 0; app->options.interfaces[i]; i++)
		interfaces[n++] = app->options.interfaces[i];
	for (size_t i = 0; i < app->config->interfaces.n && !app->options.interfaces[0]; i++)
		interfaces[n++] = app->config->interfaces.v[i];
	r = dataplane_open(&o, &app->dp);
	if (r)
		return r;
	log_info(SUB, "%s in %s, cgroup %s%s",
		 dataplane_taken_over(app->dp) ? "took over what was pinned" : "loaded",
		 app->pin_dir, app->cgroup, app->observe ? ", observing only" : "");
	return 0;
}

static int loop_wire(struct app *app)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct loop_source *source;
	int r;

	r = loop_timer_new(app->loop, on_tick, app, &app->tick);
	if (!r)
		r = loop_timer_new(app->loop, on_due, app, &app->due);
	if (!r)
		r = loop_timer_new(app->loop, on_again, app, &app->again);
	if (!r)
		r = loop_timer_new(app->loop, on_selftest, app, &app->selftest_timer);
	if (!r)
		r = loop_timer_new(app->loop, on_resolver_timer, app, &app->resolver_timer);
	if (!r)
		r = loop_add_fd(app->loop, dataplane_ring_fd(app->dp), EPOLLIN, on_ring, app,
				&source);
	if (!r)
		r = loop_add_fd(app->loop, locals_fd(app->locals), EPOLLIN, on_locals, app,
				&source);
	if (!r)
		r = loop_add_fd(app->loop, resolver_fd(app->resolver), EPOLLIN, on_resolver, app,
				&source);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && !r; i++)
		r = loop_add_signal(app->loop, signals[i], on_signal, app);
	return r;
}

/* The parts that need nothing of the configuration's servers. */
static int parts_open(struct app *app)
{
	int r;

	r = history_new(&app->events, APP_HISTORY_EVENTS);
	if (!r)
		r = history_new(&app->calls, APP_HISTORY_CALLS);
	if (!r)
		r = boot_id_read(app);
	if (!r)
		r = store_open(app->state_dir, &app->store);
	if (!r)
		r = plane_open(app);
	if (!r)
		r = netns_new(&app->netns);
	if (!r)
		netns_cookies(app->netns, dataplane_cookie_here, app->dp);
	if (!r)
		r = locals_watch(&app->locals);
	if (!r)
		r = locals_apply(app);
	if (!r)
		r = app_resolve_start(app);
	return r;
}

static void say_what_is_watched(struct app *app)
{
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct config_server *c = app->servers[i]->config;

		log_info(SUB, "server \"%s\": %s, visibility %s", c->name,
			 c->url_shown       ? c->url_shown
			 : c->command_shown ? c->command_shown
					    : "networks",
			 visibility_name(c->visibility));
	}
}

int app_new(const struct options *options, struct app **ret)
{
	CLEANUP(app_freep) struct app *app = calloc(1, sizeof(*app));
	struct config *config = NULL;
	struct reply_selftest result;
	int r;

	if (!app)
		return -ENOMEM;
	app->options = *options;
	app->canary_fd = -1;
	app->control_fd = -1;
	app->target_fd = -1;
	app->start_ns = clock_boot_ns();
	r = app_config_read(options, &config);
	if (r)
		return r;
	app->config = config;
	r = capabilities_check();
	if (!r)
		r = settings(app);
	if (r)
		return r;
	r = parts_open(app);
	if (!r)
		r = loop_new(&app->loop);
	if (!r)
		r = app_api_start(app);
	if (!r)
		r = loop_wire(app);
	if (r)
		return r;
	lease_renew(app, clock_boot_ns());
	app->config = NULL;
	r = app_servers_apply(app, config);
	if (!r)
		r = app_canary(app);
	if (r)
		return r;
	say_what_is_watched(app);
	app_selftest(app, &result);
	app_resolve_due(app, clock_boot_ns());
	*ret = TAKE_PTR(app);
	return 0;
}

int app_run(struct app *app)
{
	uint64_t now = clock_boot_ns();
	int r;

	on_tick(app);
	on_resolver_timer(app);
	loop_timer_set(app->selftest_timer, now + APP_SELFTEST_NS);
	app_events_read(app);
	(void)!notify_ready("watching");
	log_notice(SUB, "ready: %zu servers, API at %s, metrics %s", app->servers_n, app->socket,
		   app->metrics);
	r = loop_run(app->loop);
	if (!app->detach)
		(void)!app_state_save(app);
	if (app->api)
		http_flush(app->api, 200);
	return r;
}

void app_free(struct app *app)
{
	if (!app)
		return;
	http_free(app->api);
	http_free(app->exporter);
	app_servers_free(app);
	config_free(app->config);
	resolver_free(app->resolver);
	locals_free(app->locals);
	netns_free(app->netns);
	loop_free(app->loop);
	dataplane_close(app->dp);
	store_close(app->store);
	closep(&app->canary_fd);
	closep(&app->control_fd);
	closep(&app->target_fd);
	blast_done(&app->groups.blast);
	free(app->events.ring);
	free(app->calls.ring);
	free(app->pending);
	free(app->cgroup);
	free(app->pin_dir);
	free(app->socket);
	free(app->state_dir);
	free(app->metrics);
	free(app);
}

/* What this kernel can do; 0 if that is everything that enforces. */
static int check_kernel(void)
{
	struct dataplane_feature features[DATAPLANE_PROGRAMS_MAX] = { 0 };
	struct buf text CLEANUP(buf_done) = { 0 };
	struct utsname host = { 0 };
	struct check c = { .release = host.release, .features = features };

	c.error = dataplane_probe(features, ARRAY_SIZE(features), &c.n);
	uname(&host);
	buf_init(&text, CHECK_TEXT_MAX);
	check_format(&c, &text);
	printf("%s", buf_str(&text));
	if (buf_error(&text))
		return buf_error(&text);
	return check_result(&c) == CHECK_FULL ? 0 : -EOPNOTSUPP;
}

int app_check(const struct options *options)
{
	CLEANUP(freep) char *cgroup = NULL;
	CLEANUP(config_freep) struct config *config = NULL;
	int r;

	r = app_config_read(options, &config);
	if (!r)
		r = capabilities_check();
	if (!r)
		r = cgroup_settle(first(options->cgroup, config->cgroup, NULL), &cgroup);
	if (r)
		return r;
	printf("configuration: %zu servers, no errors\ncgroup: %s\n", config->n_servers, cgroup);
	return check_kernel();
}
