/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "core/answer.h"
#include "dataplane/cgroup.h"
#include "dataplane/kill.h"

#define EXIT_SKIP 77

static char cgroup_path[512];
static char pins_path[128];
static pid_t child;

const char *rig_cgroup(void)
{
	return cgroup_path;
}

const char *rig_pins(void)
{
	return pins_path;
}

/* --- a place of its own --------------------------------------------------------- */

static int write_text(const char *path, const char *text)
{
	CLEANUP(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

void rig_sysctl(const char *name, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	assert_int_equal(write_text(path, value), 0);
}

static int lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	CLEANUP(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

static int enter(void)
{
	char path[600];
	int r;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup_path);
	r = write_text(path, "0");
	if (r)
		return r;
	if (unshare(CLONE_NEWNET))
		return -errno;
	return lo_up();
}

static void pins_remove(void)
{
	DIR *dir = opendir(pins_path);
	struct dirent *d;

	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	rmdir(pins_path);
}

static void on_signal(int sig)
{
	(void)sig;
	kill(child, SIGKILL);
}

static int skipped(const char *what, int error)
{
	printf("%s: %s\n", what, strerror(error));
	return EXIT_SKIP;
}

int rig_main(int (*run)(void))
{
	CLEANUP(freep) char *mount = NULL;
	char path[600];
	int status = 0;

	if (geteuid())
		return skipped("loading BPF programs needs root", EPERM);
	if (cgroup_find(&mount))
		return skipped("no cgroup2", ENOENT);
	snprintf(cgroup_path, sizeof(cgroup_path), "%s/sg-test-%d", mount, getpid());
	snprintf(pins_path, sizeof(pins_path), "/sys/fs/bpf/sg-test-%d", getpid());
	if (mkdir(cgroup_path, 0755))
		return skipped(cgroup_path, errno);
	fflush(NULL);
	child = fork();
	if (!child) {
		int r = enter();

		exit(r ? skipped("cannot enter a cgroup and a network namespace", -r) : run());
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	pins_remove();
	snprintf(path, sizeof(path), "%s/cgroup.kill", cgroup_path);
	(void)!write_text(path, "1"); /* what a failed test left behind; kernel 5.14 */
	for (int i = 0; rmdir(cgroup_path) && errno == EBUSY && i < 100; i++)
		usleep(10000); /* what the child left behind is still dying */
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- the data plane ------------------------------------------------------------------ */

static int on_event(void *ctx, void *data, size_t size)
{
	struct dataplane *dp = ctx;

	assert_int_equal(size, sizeof(struct sg_event));
	dp->event_fn(dp->event_data, data);
	return 0;
}

static void *map_memory(const struct bpf_map *map, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	assert_true(p != MAP_FAILED);
	return p;
}

struct dataplane *rig_bare(void)
{
	struct dataplane *dp = calloc(1, sizeof(*dp));
	const struct dataplane_options o = { .without = getenv("SWITCHGEAR_WITHOUT") };
	struct sg_http_table table;
	__u32 zero = 0;

	assert_non_null(dp);
	dp->quiet = true;
	dp->dir_fd = -1;
	dp->cpus = (unsigned int)libbpf_num_possible_cpus();
	assert_int_equal(dataplane_load(dp, &o), 0);
	assert_int_equal(answer_table_build(&table), 0);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(dp->skel->maps.http_dfa), &zero, &table, 0), 0);
	dp->cfg = map_memory(dp->skel->maps.cfg, sizeof(*dp->cfg));
	dp->pulse = map_memory(dp->skel->maps.pulse, sizeof(*dp->pulse));
	dp->cutoff = map_memory(dp->skel->maps.cutoff, sizeof(*dp->cutoff));
	dp->quarantine =
		map_memory(dp->skel->maps.quarantine, SG_SERVERS_MAX * sizeof(*dp->quarantine));
	dp->cgroup = strdup(cgroup_path);
	assert_int_equal(netns_new(&dp->netns), 0);
	netns_cookies(dp->netns, dataplane_cookie_here, dp);
	assert_int_equal(dataplane_cookie_here(dp, &dp->home_netns), 0);
	dp->cfg->abi = SG_ABI;
	dp->cfg->home_netns = dp->home_netns;
	dp->ring = ring_buffer__new(bpf_map__fd(dp->skel->maps.ev), on_event, dp, NULL);
	assert_non_null(dp->ring);
	return dp;
}

/* What is reported as degraded is what $EXPECT_DEGRADED says of this kernel, one text a line. */
static void check_degraded(const struct dataplane *dp)
{
	const char *expected = getenv("EXPECT_DEGRADED");
	const char *next = expected ? expected : "";
	size_t n = 0;

	while (*next) {
		size_t len = strcspn(next, "\n");
		bool found = false;

		for (size_t i = 0; dataplane_degraded(dp, i); i++)
			found |= !strncmp(dataplane_degraded(dp, i), next, len);
		if (!found)
			fail_msg("not degraded, against what is expected: %.*s", (int)len, next);
		n++;
		next += len + (next[len] == '\n');
	}
	if (dataplane_degraded(dp, n))
		fail_msg("more is degraded than the %zu texts expected", n);
}

struct dataplane *rig_open(void)
{
	struct dataplane_options o = { .pin_dir = pins_path,
				       .cgroup = cgroup_path,
				       .without = getenv("SWITCHGEAR_WITHOUT") };
	struct dataplane *dp = NULL;

	log_set_level(LOG_LEVEL_WARNING);
	assert_int_equal(dataplane_open(&o, &dp), 0);
	dataplane_can_kill(dp, true);
	if (!o.without)
		check_degraded(dp);
	return dp;
}

struct sg_policy rig_policy(void)
{
	return (struct sg_policy){
		.half_open_max_ns = 90 * NS_PER_SEC,
		.probe_lease_ns = 30 * NS_PER_SEC,
		.slow_ns = SG_FOREVER,
		.connect_ns = 3 * NS_PER_SEC,
		.timeout_ns = 60 * NS_PER_SEC,
		.abandon_ns = 10 * NS_PER_SEC,
		.probes = 3,
		.half_open_rate = SG_RATE_ONE / 100,
		.slow_rate = SG_RATE_ONE / 10 * 8,
		.retry_after = 1,
		.deny_errno = ECONNREFUSED,
	};
}

struct sg_command rig_command(struct dataplane *dp, struct sg_command cmd)
{
	cmd.server = RIG_SERVER;
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	return cmd;
}

void rig_ramp(struct dataplane *dp, uint64_t now)
{
	struct sg_command cmd = rig_command(dp, (struct sg_command){ .op = SG_CMD_READ });

	cmd.op = SG_CMD_RESTORE;
	cmd.breaker.state = SG_RAMP;
	cmd.breaker.since_ns = now - now / 2;
	cmd.breaker.deadline_ns = SG_FOREVER;
	rig_command(dp, cmd);
}

/* Of the server; no address: none. */
static struct {
	struct addr addrs[2];
	uint16_t ports[2];
	size_t n;
} endpoints;

static void endpoints_enter(struct dataplane *dp)
{
	assert_int_equal(dataplane_endpoints_set(dp, RIG_SERVER, endpoints.addrs, endpoints.ports,
						 endpoints.n),
			 0);
	rig_command(dp, (struct sg_command){ .op = SG_CMD_SLOTS }); /* each connect counts */
}

void rig_server(struct dataplane *dp, const struct sg_policy *policy, uint64_t next_open_ns)
{
	size_t size = dp->cpus * sizeof(struct sg_stats);
	CLEANUP(freep) void *zeros = calloc(1, size);
	__u32 id = RIG_SERVER;

	assert_non_null(zeros);
	rig_command(dp, (struct sg_command){ .op = SG_CMD_FORGET });
	assert_int_equal(dataplane_quarantine_set(dp, id, 0), 0);
	assert_int_equal(dataplane_server_set(dp, id, "rig", 0, 0, policy, next_open_ns, true), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(dp->skel->maps.stats), &id, zeros, 0), 0);
	if (endpoints.n) /* what it had was that of another incarnation */
		endpoints_enter(dp);
	rig_drain(dp);
}

void rig_endpoint(struct dataplane *dp, const char *addr, uint16_t port)
{
	assert_int_equal(parse_addr(addr, &endpoints.addrs[0]), 0);
	assert_int_equal(parse_addr("::1", &endpoints.addrs[1]), 0);
	endpoints.ports[0] = endpoints.ports[1] = port;
	endpoints.n = addr_is_loopback(&endpoints.addrs[0]) ? 2 : 1;
	endpoints_enter(dp);
}

struct sg_stats rig_stats(struct dataplane *dp)
{
	struct sg_stats st;

	assert_int_equal(dataplane_stats(dp, RIG_SERVER, &st), 0);
	return st;
}

bool rig_has(const struct dataplane *dp, const char *program)
{
	return dataplane_loaded(bpf_object__find_program_by_name(dp->skel->obj, program));
}

int rig_refusal(const struct dataplane *dp, int deny_errno)
{
	bool said = dp->skel->rodata_sg->sg_rodata.has_retval || deny_errno == ECONNREFUSED;

	return said ? deny_errno : EPERM;
}

uint64_t rig_cookie(int socket)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	return cookie;
}

size_t rig_kill(struct dataplane *dp)
{
	struct kill_result result = { 0 };

	assert_int_equal(kill_server(dp, RIG_SERVER, KILL_RECORDED, &result), 0);
	assert_int_equal(result.survivors, 0);
	return result.killed;
}

/* --- events ------------------------------------------------------------------------------ */

static void keep(void *data, const struct sg_event *e)
{
	struct rig_events *events = data;

	if (events && events->n < RIG_EVENTS_MAX)
		events->e[events->n++] = *e;
}

void rig_read(struct dataplane *dp, struct rig_events *events)
{
	assert_true(dataplane_ring_read(dp, keep, events) >= 0);
}

void rig_wait(struct dataplane *dp, struct rig_events *events, size_t want)
{
	uint64_t end = clock_boot_ns() + NS_PER_SEC;

	rig_read(dp, events);
	while (events->n < want && clock_boot_ns() < end) {
		usleep(500);
		rig_read(dp, events);
	}
}

void rig_drain(struct dataplane *dp)
{
	rig_read(dp, NULL);
}
