/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What bpftool does not do to pinned maps and links, or not fast enough: counts
 * and fills a map, waits for a time in one, and puts a program that lets everything
 * pass into a link.
 */
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "abi.h"
#include "util.h"

#define KEYS_FROM (1ULL << 62) /* no socket's cookie */
#define BATCH 4096U            /* more than a bucket can hold */

static const char usage[] =
	"usage: bpfpin count MAP       prints how many entries a hash has\n"
	"       bpfpin fill MAP        puts zeros under keys of its own, until it is full;\n"
	"                              prints how many\n"
	"       bpfpin empty MAP       takes these out again\n"
	"       bpfpin lease CFG       returns when no daemon is alive: its lease has run out\n"
	"       bpfpin asleep CFG      this host has been asleep for two seconds more, it says\n"
	"       bpfpin pass LINK       of cgroup_skb: all packets pass from now on\n"
	"Exit status: 0 done, 1 failed, 2 usage.\n";

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "bpfpin: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int pinned(const char *path)
{
	union bpf_attr a = { .pathname = address(path) };
	int fd = bpf(BPF_OBJ_GET, &a);

	if (fd < 0)
		fail(path);
	return fd;
}

static void info_of(int fd, void *info, uint32_t size)
{
	union bpf_attr a = {
		.info = { .bpf_fd = (uint32_t)fd, .info_len = size, .info = address(info) }
	};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &a))
		fail("information");
}

/* Of a hash, bucket by bucket: a walk from key to key begins anew at one that is deleted. */
static int count(int fd)
{
	struct bpf_map_info info = {};
	unsigned long n = 0;
	uint32_t cursor = 0;
	bool first = true;
	void *keys, *values;
	int r;

	info_of(fd, &info, sizeof(info));
	keys = calloc(BATCH, info.key_size);
	values = calloc(BATCH, info.value_size);
	if (!keys || !values)
		die("out of memory");
	do {
		union bpf_attr a = { .batch = { .map_fd = (uint32_t)fd,
						.in_batch = first ? 0 : address(&cursor),
						.out_batch = address(&cursor),
						.keys = address(keys),
						.values = address(values),
						.count = BATCH } };

		r = bpf(BPF_MAP_LOOKUP_BATCH, &a);
		if (r && errno != ENOENT)
			fail("walk");
		n += a.batch.count;
		first = false;
	} while (!r);
	printf("%lu\n", n);
	free(keys);
	free(values);
	return 0;
}

static int fill(int fd)
{
	struct bpf_map_info info = {};
	uint64_t key = KEYS_FROM;
	void *zeros;

	info_of(fd, &info, sizeof(info));
	zeros = calloc(1, info.value_size);
	if (!zeros || info.key_size != sizeof(key))
		die("keys of 8 bytes are needed");
	for (;; key++) {
		union bpf_attr a = { .map_fd = (uint32_t)fd,
				     .key = address(&key),
				     .value = address(zeros),
				     .flags = BPF_NOEXIST };

		if (!bpf(BPF_MAP_UPDATE_ELEM, &a) || errno == EEXIST)
			continue;
		if (errno != E2BIG)
			fail("update");
		break;
	}
	printf("%llu\n", (unsigned long long)(key - KEYS_FROM));
	free(zeros);
	return 0;
}

static int empty(int fd)
{
	for (uint64_t key = KEYS_FROM;; key++) {
		union bpf_attr a = { .map_fd = (uint32_t)fd, .key = address(&key) };

		if (bpf(BPF_MAP_DELETE_ELEM, &a))
			return errno == ENOENT ? 0 : 1;
	}
}

/* Fails if it is renewed all the time. */
static int lease(int fd)
{
	const uint64_t patience = 10 * SG_LEASE_NS;
	uint64_t begun = clock_ns(CLOCK_BOOTTIME);
	struct sg_cfg cfg;
	uint32_t key = 0;
	union bpf_attr a = { .map_fd = (uint32_t)fd, .key = address(&key), .value = address(&cfg) };

	for (;;) {
		struct timespec until;

		if (bpf(BPF_MAP_LOOKUP_ELEM, &a))
			fail("lookup");
		if (clock_ns(CLOCK_BOOTTIME) > cfg.lease_until_ns)
			return 0;
		if (cfg.lease_until_ns > begun + patience)
			die("the daemon is alive");
		until.tv_sec = (time_t)((cfg.lease_until_ns + 1) / 1000000000);
		until.tv_nsec = (long)((cfg.lease_until_ns + 1) % 1000000000);
		clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL);
	}
}

/* Together with what a daemon writes there. */
static int asleep(int fd)
{
	struct sg_cfg *cfg = mmap(NULL, sizeof(*cfg), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (cfg == MAP_FAILED)
		fail("mmap");
	__atomic_add_fetch(&cfg->asleep_ns, 2000000000, __ATOMIC_SEQ_CST);
	return 0;
}

/* The link stays where it is, and what is in it does nothing. */
static int pass(int fd)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static const char license[] = "GPL";
	struct bpf_link_info info = {};
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_SKB,
				.insn_cnt = sizeof(code) / sizeof(code[0]),
				.insns = address(code),
				.license = address(license) };
	union bpf_attr update = { .link_update = { .link_fd = (uint32_t)fd } };
	int prog;

	info_of(fd, &info, sizeof(info));
	if (info.type != BPF_LINK_TYPE_CGROUP)
		die("not a link to a cgroup");
	load.expected_attach_type = info.cgroup.attach_type;
	prog = bpf(BPF_PROG_LOAD, &load);
	if (prog < 0)
		fail("load");
	update.link_update.new_prog_fd = (uint32_t)prog;
	if (bpf(BPF_LINK_UPDATE, &update))
		fail("update");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*fn)(int fd);
	} verbs[] = { { "count", count }, { "fill", fill },     { "empty", empty },
		      { "lease", lease }, { "asleep", asleep }, { "pass", pass } };

	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* counts BPF memory before 5.11 */
	for (size_t i = 0; argc == 3 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].fn(pinned(argv[2]));
	die("%s", usage);
}
