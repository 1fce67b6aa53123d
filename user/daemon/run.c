/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <linux/capability.h>

#include "base/log.h"
#include "daemon/mark.h"
#include "daemon/outside.h"
#include "daemon/servers.h"
#include "dataplane/check.h"
#include "io/notify.h"
#include "io/store.h"

#define SUB "switchgeard"
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

/* --- reload -------------------------------------------------------------------------------- */

/* The command line's --mode holds over every configuration. */
static void reload_mode(struct daemon *d, const struct config *config)
{
	bool observe = settings_observe(d->settings, config);

	if (observe == dataplane_observes(d->dp))
		return;
	dataplane_observe(d->dp, observe);
	log_notice(SUB, "%s from now on", observe ? "observing only" : "enforcing");
}

/* A bad configuration changes nothing. */
static void reload(struct daemon *d)
{
	struct config *config = NULL;
	struct event e;
	int r;

	(void)!notify_reloading();
	bus_pass(d->bus); /* what is outstanding is about the old one */
	bus_event(&e, EVENT_RELOAD, "");
	r = settings_config(d->settings, &config);
	if (r) {
		log_error(SUB, "the configuration was not reloaded; the old one stays in force");
		snprintf(e.text, sizeof(e.text), "refused: the new configuration has errors");
	} else {
		size_t n = config->n_servers;

		settings_warn(servers_config(d->servers), config);
		reload_mode(d, config);
		r = servers_apply(d->servers, config);
		if (r)
			snprintf(d->settings->error, sizeof(d->settings->error),
				 "not all of it is in force (%s); see the log", strerror(-r));
		log_notice(SUB, "the configuration was reloaded%s: %zu servers: %s",
			   r ? " with errors" : "", n, servers_report(d->servers));
		snprintf(e.text, sizeof(e.text), "%s: %s", r ? "reloaded with errors" : "reloaded",
			 servers_report(d->servers));
	}
	bus_report(d->bus, &e);
	bus_pass(d->bus);
	(void)!notify_ready("watching");
}

static void on_signal(void *data, int number)
{
	struct daemon *d = data;

	if (number == SIGHUP) {
		reload(d);
		return;
	}
	log_notice(SUB,
		   "stopping; enforcement stays in the kernel (\"switchgear detach\" removes it)");
	(void)!notify_stopping();
	loop_stop(d->loop, 0);
}

/* --- start ----------------------------------------------------------------------------------- */

static int plane_open(struct daemon *d, const struct config *config)
{
	const struct settings *s = d->settings;
	const char *interfaces[SETTINGS_INTERFACES_MAX + CONFIG_INTERFACES_MAX + 1] = { NULL };
	struct dataplane_options o = { .pin_dir = s->pin_dir,
				       .cgroup = s->cgroup,
				       .interfaces = interfaces,
				       .endpoints_max = config->limit_endpoints,
				       .observe = settings_observe(s, config),
				       .without = getenv("SWITCHGEAR_WITHOUT") };
	size_t n = 0;
	int r;

	for (size_t i = 0; s->interfaces[i]; i++)
		interfaces[n++] = s->interfaces[i];
	for (size_t i = 0; i < config->interfaces.n && !s->interfaces[0]; i++)
		interfaces[n++] = config->interfaces.v[i];
	r = dataplane_open(&o, &d->dp);
	if (r)
		return r;
	log_info(SUB, "%s in %s, cgroup %s%s",
		 dataplane_taken_over(d->dp) ? "took over what was pinned" : "loaded", s->pin_dir,
		 s->cgroup, o.observe ? ", observing only" : "");
	return 0;
}

static int loop_wire(struct daemon *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals) && !r; i++)
		r = loop_add_signal(d->loop, signals[i], on_signal, d);
	return r;
}

static void say_what_is_watched(const struct servers *all)
{
	for (const struct server *s = servers_first(all); s; s = s->next) {
		const struct config_server *c = s->config;

		log_info(SUB, "server \"%s\": %s, visibility %s", c->name,
			 c->url_shown       ? c->url_shown
			 : c->command_shown ? c->command_shown
					    : "networks",
			 visibility_name(c->visibility));
	}
}

/* The modules, in their order, until one fails; *n: how many were started. */
static int modules_start(struct modules *ms, size_t *n)
{
	int r = 0;

	for (*n = 0; *n < ms->n && !r; ++*n)
		if (ms->v[*n]->start)
			r = ms->v[*n]->start(ms->memory[*n]);
	return r;
}

static void modules_stop(struct modules *ms, size_t n)
{
	while (n-- > 0)
		if (ms->v[n]->stop)
			ms->v[n]->stop(ms->memory[n]);
}

/* From the first configuration to the end; takes the configuration. */
static int serve(struct daemon *d, struct config *config)
{
	int r = servers_apply(d->servers, config);

	if (r)
		return r;
	say_what_is_watched(d->servers);
	bus_pass(d->bus);
	(void)!notify_ready("watching");
	log_notice(SUB, "ready: %zu servers, API at %s, metrics %s", servers_n(d->servers),
		   d->settings->socket, d->settings->metrics);
	return loop_run(d->loop);
}

/* What holds; *ret is the caller's in any case. */
static int resolve(struct settings *settings, struct config **ret)
{
	int r = settings_config(settings, ret);

	if (!r)
		r = capabilities_check();
	return r ? r : settings_resolve(settings, *ret);
}

/* Who detached wants it to stay so, whoever starts a daemon: systemd, or the next boot. */
static int respect_detach(struct settings *s)
{
	char who[MARK_TEXT_MAX];

	if (!mark_find(s->state_dir, who))
		return 0;
	if (!s->attach) {
		log_error(
			SUB,
			"detached %s (%s/" MARK_FILE "): nothing is enforced; to go on, run "
			"\"switchgear attach\" and start switchgeard, or start it once with --attach",
			who, s->state_dir);
		return MARK_EXIT;
	}
	if (s->check)
		return 0;
	log_notice(SUB, "attaching again; it was detached %s", who);
	if (mark_remove(s->state_dir))
		snprintf(s->unmarked, sizeof(s->unmarked),
			 "the mark %.150s/" MARK_FILE " of a detach cannot be removed, so the next "
			 "start is refused: remove it",
			 s->state_dir);
	return 0;
}

int run_daemon(const struct run *run)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct daemon d = { .settings = run->settings };
	struct modules *modules = NULL;
	size_t started = 0;
	int r = resolve(run->settings, &config);

	if (!r)
		r = respect_detach(run->settings);
	if (!r)
		r = loop_new(&d.loop);
	if (!r) /* before anything is attached */
		r = store_busy(run->settings->state_dir);
	if (!r)
		r = plane_open(&d, config);
	if (!r)
		r = modules_new(run->modules, run->n_modules, &d, &modules);
	if (!r)
		r = bus_new(modules, run->table, run->n_table, &d.bus);
	if (!r)
		r = servers_new(&d, modules, &d.servers);
	if (!r)
		r = loop_wire(&d);
	if (!r)
		r = modules_start(modules, &started);
	if (!r)
		r = serve(&d, TAKE_PTR(config));
	modules_stop(modules, started);
	servers_free(d.servers);
	bus_free(d.bus);
	loop_free(d.loop);
	modules_free(modules);
	dataplane_close(d.dp);
	return r;
}

/* --- --check ----------------------------------------------------------------------------------- */

/* What this kernel can do; 0 if that is everything that enforces. */
static int check_kernel(void)
{
	struct dataplane_feature features[DATAPLANE_PROGRAMS_MAX] = { 0 };
	CLEANUP(buf_done) struct buf text = BUF(CHECK_TEXT_MAX);
	struct utsname host = { 0 };
	struct check c = { .release = host.release, .features = features };

	c.error = dataplane_probe(features, ARRAY_SIZE(features), &c.n);
	uname(&host);
	check_format(&c, &text);
	printf("%s", buf_str(&text));
	if (buf_error(&text))
		return buf_error(&text);
	return check_result(&c) == CHECK_FULL ? 0 : -EOPNOTSUPP;
}

int run_check(struct settings *settings)
{
	CLEANUP(config_freep) struct config *config = NULL;
	int r = resolve(settings, &config);
	int detached;
	bool runs;
	int kernel;

	if (r)
		return r;
	runs = dataplane_runs(settings->pin_dir);
	printf("configuration: %zu servers, no errors\ncgroup: %s\n", config->n_servers,
	       settings->cgroup);
	detached = respect_detach(settings);
	r = outside_check(settings, config, runs);
	if (!r && detached)
		r = -ECANCELED; /* a start would end at once */
	if (runs) {
		printf("A daemon runs with the pins in %s: what this kernel lacks is in its "
		       "status.\n",
		       settings->pin_dir);
		return r;
	}
	kernel = check_kernel();
	return r ? r : kernel;
}
