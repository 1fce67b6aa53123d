/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls through HTTP proxies. The kernel is told which endpoints are proxies, those of the
 * configuration and those that the environments of the protected processes have, and by what
 * names these are asked for servers; then it watches such calls. Processes whose proxy cannot be
 * watched are named. A child looks for them once a minute; of an environment it keeps host and
 * port of the proxy alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/proxies.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "daemon/work.h"
#include "io/resolver.h"
#include "modules/modules.h"

#define SUB "proxies"
#define LOOK_NS (60 * NS_PER_SEC)
#define FIRST_NS NS_PER_SEC       /* after the start */
#define RUN_NS (20 * NS_PER_SEC)  /* a look may take so long, */
#define NAME_NS (15 * NS_PER_SEC) /* and to look up a name so long */
#define RETRY_NS (5 * NS_PER_SEC)
#define FORGET_NS (600 * NS_PER_SEC) /* a proxy that nobody has any more */
#define NAMED_MAX 32                 /* processes that are named; the others are counted */
#define SHOWN 3                      /* of them, and of servers, in the sentence */
#define WAYS_MAX 32                  /* proxies in environments */
#define KNOWN_MAX 64                 /* and with those of the configuration */
#define KNOWN_ADDRS_MAX 16           /* of one name */
#define PORTS_MAX 2

/* Where no port is said programs do not agree. */
static const uint16_t ports_unsaid[PORTS_MAX] = { 80, 1080 };

/* A proxy that processes have in their environments. */
struct way {
	char proxy[PROXY_LEN];
	uint32_t plain;  /* HTTP is spoken to it in clear */
	uint32_t home;   /* from the daemon's network namespace */
	uint32_t others; /* processes that have no room below */
};

struct through {
	uint32_t pid;
	uint32_t way;
	char comm[SG_COMM_LEN];
};

/* What a look found; by index of the server a bit for each of `v`. */
struct found {
	struct through v[NAMED_MAX];
	struct way ways[WAYS_MAX];
	uint32_t n;
	uint32_t n_ways;
	uint32_t others; /* processes whose proxy has no room in `ways` */
	uint32_t cut;    /* 1: there were more than are looked at */
	uint32_t by[SG_SERVERS_MAX];
};

/* A proxy that the kernel is told of. */
struct known {
	char text[URL_HOST_MAX + 16]; /* "host:port" */
	char host[URL_HOST_MAX + 1];
	char error[128]; /* why its name has no address, for people */
	uint16_t ports[PORTS_MAX];
	size_t n_ports;
	struct addr addrs[KNOWN_ADDRS_MAX];
	size_t n_addrs;
	uint64_t next_ns; /* its name is to be looked up; SG_FOREVER: it is an address */
	uint64_t seen_ns; /* when a process had it; 0: none did */
	bool configured;
};

struct proxied {
	struct part part;
	struct work *work;
	struct work_job *job;
	struct work *names;
	struct work_job *name_job;
	char asked[URL_HOST_MAX + 1]; /* the name that is being looked up */
	struct loop_timer *due;
	struct loop_timer *name_due;
	struct found found;
	struct known known[KNOWN_MAX];
	size_t n_known;
	bool looked;   /* at the processes, since the start */
	bool failed;   /* the kernel could not be told */
	bool unnamed;  /* nor by what names they are asked for servers */
	uint32_t told; /* how many were logged */
};

/* --- proxies that are known ---------------------------------------------------------------- */

static struct known *known_find(struct proxied *m, const char *text)
{
	for (size_t i = 0; i < m->n_known; i++)
		if (!strcmp(m->known[i].text, text))
			return &m->known[i];
	return NULL;
}

/* NULL: it is no host, or there is no room. */
static struct known *known_add(struct proxied *m, const char *text)
{
	struct known *k = known_find(m, text);
	uint16_t port;

	if (k)
		return k;
	if (m->n_known == KNOWN_MAX)
		return NULL;
	k = &m->known[m->n_known];
	*k = (struct known){ .n_ports = 1 };
	if (proxy_split(text, k->host, sizeof(k->host), &port))
		return NULL;
	snprintf(k->text, sizeof(k->text), "%s", text);
	k->ports[0] = port;
	if (!port) {
		memcpy(k->ports, ports_unsaid, sizeof(k->ports));
		k->n_ports = PORTS_MAX;
	}
	if (!parse_addr(k->host, &k->addrs[0])) {
		k->n_addrs = 1;
		k->next_ns = SG_FOREVER;
	}
	m->n_known++;
	return k;
}

/* Those that are neither configured nor were seen for long go. */
static void known_prune(struct proxied *m, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_known; i++)
		if (m->known[i].configured ||
		    (m->known[i].seen_ns && m->known[i].seen_ns + FORGET_NS > now))
			m->known[n++] = m->known[i];
	m->n_known = n;
}

/* Tells the kernel. Before the first look it keeps what an earlier daemon told it. */
static void known_write(struct proxied *m)
{
	CLEANUP(freep)
	struct addr *addrs = calloc(KNOWN_MAX * KNOWN_ADDRS_MAX * PORTS_MAX, sizeof(*addrs));
	CLEANUP(freep)
	uint16_t *ports = calloc(KNOWN_MAX * KNOWN_ADDRS_MAX * PORTS_MAX, sizeof(*ports));
	size_t n = 0;

	m->failed = true;
	if (!addrs || !ports)
		return;
	for (size_t i = 0; i < m->n_known; i++) {
		const struct known *k = &m->known[i];

		for (size_t a = 0; a < k->n_addrs * k->n_ports; a++) {
			addrs[n] = k->addrs[a / k->n_ports];
			ports[n++] = k->ports[a % k->n_ports];
		}
	}
	m->failed = dataplane_proxies_set(m->part.d->dp, addrs, ports, n, !m->looked) != 0;
}

/* The names that proxies are asked for servers by. */
static void targets_write(struct proxied *m)
{
	size_t room = servers_n(m->part.d->servers) * PROXY_TARGETS_MAX;
	CLEANUP(freep) struct dataplane_target *v = calloc(room + 1, sizeof(*v));
	size_t n = 0;

	m->unnamed = true;
	if (!v)
		return;
	for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		const struct config_server *c = s->config;
		struct sg_target names[PROXY_TARGETS_MAX];
		size_t k;

		if (!s->id || !c->has_url)
			continue;
		k = proxy_targets(c->scheme == URL_HTTPS, c->host, c->port, names);
		if (!k)
			log_warning(SUB,
				    "server \"%s\": the name of its host is too long: calls to it "
				    "through proxies are not watched",
				    c->name);
		for (size_t i = 0; i < k; i++)
			v[n++] = (struct dataplane_target){ .name = names[i], .server = s->id };
	}
	m->unnamed = dataplane_targets_set(m->part.d->dp, v, n) != 0;
}

/* --- their names --------------------------------------------------------------------------- */

static void name_found(struct proxied *m, struct known *k, const struct resolver_answer *answer)
{
	size_t n = answer->n < KNOWN_ADDRS_MAX ? answer->n : KNOWN_ADDRS_MAX;
	bool same = n == k->n_addrs && !memcmp(k->addrs, answer->addrs, n * sizeof(*k->addrs));

	k->error[0] = '\0';
	k->next_ns = clock_boot_ns() + servers_config(m->part.d->servers)->resolve_ns;
	if (same && !m->failed)
		return;
	memcpy(k->addrs, answer->addrs, n * sizeof(*k->addrs));
	k->n_addrs = n;
	known_write(m);
}

/* The addresses that are known stay. */
static void name_failed(struct known *k, const char *why)
{
	if (!k->error[0])
		log_warning(SUB, "the proxy %s: its name cannot be resolved: %s", k->text, why);
	snprintf(k->error, sizeof(k->error), "%s", why);
	k->next_ns = clock_boot_ns() + RETRY_NS;
}

static void names_go_on(void *data);

static void name_answered(void *owner, int r, const void *result)
{
	struct proxied *m = owner;
	const char *why = r ? work_explain(m->names, r) : resolver_answer_why(result);

	m->name_job = NULL;
	for (size_t i = 0; i < m->n_known; i++) {
		struct known *k = &m->known[i];

		if (k->next_ns == SG_FOREVER || strcmp(k->host, m->asked) != 0)
			continue;
		if (why)
			name_failed(k, why);
		else
			name_found(m, k, result);
	}
	names_go_on(m);
	bus_pass(m->part.d->bus);
}

/* Looks up the name that has been due for the longest, one at a time. */
static void names_go_on(void *data)
{
	struct proxied *m = data;
	struct known *first = NULL;
	struct work_order order = { .op = WORKER_LOOK_UP,
				    .size = sizeof(struct resolver_answer),
				    .run_ns = NAME_NS,
				    .by_ns = SG_FOREVER,
				    .done = name_answered,
				    .owner = m };

	if (m->name_job)
		return;
	for (size_t i = 0; i < m->n_known; i++)
		if (m->known[i].next_ns < (first ? first->next_ns : SG_FOREVER))
			first = &m->known[i];
	if (!first || first->next_ns > clock_boot_ns()) {
		loop_timer_set(m->name_due, first ? first->next_ns : SG_FOREVER);
		return;
	}
	memcpy(m->asked, first->host, sizeof(m->asked));
	order.data = m->asked;
	order.data_len = strlen(m->asked) + 1;
	if (work_add(m->names, &order, &m->name_job)) {
		m->name_job = NULL;
		first->next_ns = clock_boot_ns() + RETRY_NS;
		loop_timer_set(m->name_due, first->next_ns);
	}
}

/* --- in the child ------------------------------------------------------------------------ */

struct child {
	const struct servers *servers;
	struct found *found;
	pid_t daemon;
};

static bool at_home(pid_t pid)
{
	struct stat own;
	struct stat its;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return !stat(path, &its) && !stat("/proc/self/ns/net", &own) && its.st_ino == own.st_ino &&
	       its.st_dev == own.st_dev;
}

/* The place of a proxy in the list; WAYS_MAX: there is no room. */
static uint32_t way_of(struct found *found, const char *proxy, bool plain, bool home)
{
	uint32_t i = 0;

	while (i < found->n_ways && (strcmp(found->ways[i].proxy, proxy) != 0 ||
				     found->ways[i].plain != plain || found->ways[i].home != home))
		i++;
	if (i < found->n_ways || i == WAYS_MAX)
		return i;
	snprintf(found->ways[i].proxy, PROXY_LEN, "%s", proxy);
	found->ways[i].plain = plain;
	found->ways[i].home = home;
	found->n_ways++;
	return i;
}

static void on_process(void *data, pid_t pid, const char *comm, const char *environment, size_t len)
{
	struct child *c = data;
	struct found *found = c->found;
	const char *proxy = NULL;
	bool plain = true; /* all that it has */
	bool room = found->n < NAMED_MAX;
	struct proxies p;
	uint32_t way;

	if (pid == c->daemon || pid == getpid())
		return;
	proxies_read(&p, environment, len);
	for (const struct server *s = servers_first(c->servers); s; s = s->next) {
		bool https = s->config->scheme == URL_HTTPS;
		const char *by = NULL;

		if (s->config->has_url && s->index < SG_SERVERS_MAX)
			by = proxies_for(&p, https, s->config->host);
		if (!by)
			continue;
		if (!proxy || plain) /* that cannot be watched is the one to be told of */
			proxy = by;
		plain &= https ? p.https_plain : p.http_plain;
		if (room)
			found->by[s->index] |= 1U << found->n;
	}
	if (!proxy)
		return;
	way = way_of(found, proxy, plain, at_home(pid));
	if (way == WAYS_MAX) {
		found->others++;
		for (size_t i = 0; i < SG_SERVERS_MAX && room; i++)
			found->by[i] &= ~(1U << found->n);
		return;
	}
	if (!room) {
		found->ways[way].others++;
		return;
	}
	found->v[found->n].pid = (uint32_t)pid;
	found->v[found->n].way = way;
	snprintf(found->v[found->n].comm, SG_COMM_LEN, "%s", comm);
	found->n++;
}

static int look(void *data, void *result, UNUSED size_t size)
{
	const struct daemon *d = *(struct daemon **)data;
	struct child c = { .servers = d->servers, .found = result, .daemon = getppid() };
	ssize_t n = dataplane_processes(d->dp, on_process, &c);

	if (n < 0)
		return (int)n;
	c.found->cut = n == PROCESSES_MAX;
	return 0;
}

/* --- in the daemon ----------------------------------------------------------------------- */

/* Does the kernel know this proxy, as the processes do that have it? */
static bool way_watched(const struct proxied *m, const struct way *w)
{
	const struct known *k = w->plain ? known_find((struct proxied *)m, w->proxy) : NULL;

	if (!k || !k->n_addrs || m->failed || m->unnamed)
		return false;
	return w->home || !addr_is_loopback(&k->addrs[0]);
}

/* Of one of the found processes. */
static bool through_watched(const struct proxied *m, uint32_t i)
{
	return way_watched(m, &m->found.ways[m->found.v[i].way]);
}

/* How many processes call servers through proxies that cannot be watched. */
static uint32_t unwatched(const struct proxied *m)
{
	const struct found *f = &m->found;
	uint32_t n = f->others;

	for (uint32_t i = 0; i < f->n; i++)
		n += !through_watched(m, i);
	for (uint32_t i = 0; i < f->n_ways; i++)
		n += way_watched(m, &f->ways[i]) ? 0 : f->ways[i].others;
	return n;
}

/* The servers that they would call, by the bits of struct found. */
static uint32_t unwatched_bits(const struct proxied *m)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < m->found.n; i++)
		bits |= through_watched(m, i) ? 0 : 1U << i;
	return bits;
}

/* "pid 12 (curl) by 10.0.0.1:3128, ... and 4 more, at "a", "b"" */
static void sentence(const struct proxied *m, char *out, size_t size)
{
	const struct found *f = &m->found;
	uint32_t bits = unwatched_bits(m);
	uint32_t total = unwatched(m);
	struct buf text = BUF(1024);
	uint32_t servers = 0;
	uint32_t shown = 0;

	buf_printf(&text,
		   "%" PRIu32 " process%s of the protected cgroup call%s servers through a proxy, "
		   "and these calls are not watched: ",
		   total, total == 1 ? "" : "es", total == 1 ? "s" : "");
	for (uint32_t i = 0; i < f->n && shown < SHOWN; i++)
		if (bits & 1U << i)
			buf_printf(&text, "%spid %" PRIu32 " (%s) by %s", shown++ ? ", " : "",
				   f->v[i].pid, f->v[i].comm, f->ways[f->v[i].way].proxy);
	if (total > shown)
		buf_printf(&text, " and %" PRIu32 " more", total - shown);
	for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		if (s->index >= SG_SERVERS_MAX || !(f->by[s->index] & bits))
			continue;
		if (servers < SHOWN)
			buf_printf(&text, "%s\"%s\"", servers ? ", " : "; at ", s->config->name);
		servers++;
	}
	if (servers > SHOWN)
		buf_printf(&text, " and %" PRIu32 " more", servers - SHOWN);
	buf_puts(&text,
		 "; only proxies to which HTTP is spoken in clear are watched: use one, name "
		 "these servers in no_proxy, or watch at the proxy's host");
	snprintf(out, size, "%s", buf_str(&text));
	buf_done(&text);
}

static void on_found(void *owner, int r, const void *result)
{
	struct proxied *m = owner;
	uint64_t now = clock_boot_ns();
	char text[1024];
	uint32_t n;

	m->job = NULL;
	if (r)
		log_warning(SUB, "cannot look for processes that use a proxy: %s", strerror(-r));
	if (!result)
		return;
	memcpy(&m->found, result, sizeof(m->found));
	known_prune(m, now);
	for (uint32_t i = 0; i < m->found.n_ways; i++) {
		const struct way *w = &m->found.ways[i];
		struct known *k = w->plain ? known_add(m, w->proxy) : NULL;

		if (k)
			k->seen_ns = now;
	}
	m->looked = true;
	known_write(m);
	if (m->unnamed)
		targets_write(m);
	names_go_on(m);
	n = unwatched(m);
	if (m->name_job)
		return; /* perhaps it is watched in a moment: the next look tells */
	if (n && m->told != n) {
		sentence(m, text, sizeof(text));
		log_warning(SUB, "%s", text);
	}
	m->told = n;
}

static void on_due(void *data)
{
	struct proxied *m = data;
	const struct work_order order = { .name = "sg-proxies",
					  .fn = look,
					  .data = &m->part.d,
					  .data_len = sizeof(m->part.d),
					  .size = sizeof(struct found),
					  .run_ns = RUN_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_found,
					  .owner = m };

	if (!m->job && work_add(m->work, &order, &m->job))
		m->job = NULL; /* the next time, then */
	loop_timer_set(m->due, clock_boot_ns() + LOOK_NS);
}

static int proxied_start(void *m)
{
	struct proxied *p = m;
	int r = work_new(p->part.d, &p->work);

	if (!r)
		r = work_new(p->part.d, &p->names);
	if (!r)
		r = loop_timer_new(p->part.d->loop, names_go_on, p, &p->name_due);
	return r ? r : loop_timer_new(p->part.d->loop, on_due, p, &p->due);
}

static void proxied_stop(void *m)
{
	struct proxied *p = m;

	work_free(p->work);
	work_free(p->names);
}

/* Other servers, at other places in their list; and perhaps other proxies. */
static void proxied_applied(void *m, const struct config *config)
{
	struct proxied *p = m;

	work_cancel(p->job);
	p->job = NULL;
	p->found = (struct found){ 0 };
	for (size_t i = 0; i < p->n_known; i++)
		p->known[i].configured = false;
	for (size_t i = 0; i < config->proxies.n; i++) {
		struct known *k = known_add(p, config->proxies.v[i]);

		if (k)
			k->configured = true;
	}
	if (p->looked)
		known_prune(p, clock_boot_ns());
	targets_write(p);
	known_write(p);
	names_go_on(p);
	loop_timer_set(p->due, clock_boot_ns() + FIRST_NS);
}

static int proxied_degraded(void *m, struct status *to)
{
	const struct proxied *p = m;
	char text[1024];
	int r = 0;

	for (size_t i = 0; i < p->n_known && !r; i++) {
		const struct known *k = &p->known[i];

		if (!k->configured || !k->error[0])
			continue;
		snprintf(text, sizeof(text),
			 "the proxy \"%s\" cannot be resolved: %s%s; correct \"proxies\", or the "
			 "name service",
			 k->text, k->error, k->n_addrs ? "" : "; calls through it are not watched");
		r = status_degrade(to, text);
	}
	if (r || !unwatched(p))
		return r;
	sentence(p, text, sizeof(text));
	return status_degrade(to, text);
}

static int proxied_fill(void *m, struct server *s, struct status_server *to)
{
	const struct proxied *mine = m;
	const struct found *f = &mine->found;
	uint32_t by = s->index < SG_SERVERS_MAX ? f->by[s->index] : 0;

	to->proxied = calloc(NAMED_MAX, sizeof(*to->proxied));
	if (!to->proxied)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n; i++) {
		struct status_proxied *p = &to->proxied[to->n_proxied];

		if (!(by & 1U << i))
			continue;
		p->pid = f->v[i].pid;
		memcpy(p->comm, f->v[i].comm, sizeof(p->comm));
		snprintf(p->proxy, sizeof(p->proxy), "%s", f->ways[f->v[i].way].proxy);
		p->watched = through_watched(mine, i);
		to->n_proxied++;
	}
	return 0;
}

const struct module proxied_module = {
	.name = SUB,
	.size = sizeof(struct proxied),
	.start = proxied_start,
	.stop = proxied_stop,
	.applied = proxied_applied,
	.degraded = proxied_degraded,
	.fill_server = proxied_fill,
};
