/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the verifier of the running kernel says of every program, loaded alone:
 * one line each, "NAME ok|ERRNO INSTRUCTIONS STATES MICROSECONDS", and the end
 * of its log where it refuses one. Attaches nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bpf/libbpf.h>

#include "abi.h"

#include "switchgear.skel.h"

#define STATS_ONLY 4
#define TAIL 1200

static char log_text[1 << 20];

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

/* The number that follows `name` in the verifier's last line, 0 without one. */
static unsigned long number_after(const char *name)
{
	const char *at = strstr(log_text, name);

	return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/* Loads the object with this one program; 0 or what the kernel said. */
static int load_alone(const char *name)
{
	struct switchgear_bpf *skel = switchgear_bpf__open();
	struct bpf_program *prog;
	int r;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
	{
		bool chosen = !strcmp(bpf_program__name(prog), name);

		bpf_program__set_autoload(prog, chosen);
		if (chosen) {
			bpf_program__set_log_level(prog, STATS_ONLY);
			bpf_program__set_log_buf(prog, log_text, sizeof(log_text));
		}
	}
	log_text[0] = '\0';
	r = switchgear_bpf__load(skel);
	switchgear_bpf__destroy(skel);
	return r;
}

static void report(const char *name)
{
	int r = load_alone(name);
	size_t len = strlen(log_text);

	printf("%s %s %lu %lu %lu\n", name, r ? strerrorname_np(-r) : "ok",
	       number_after("processed "), number_after("total_states "),
	       number_after("verification time "));
	if (r)
		printf("%s\n", len > TAIL ? log_text + len - TAIL : log_text);
}

int main(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct switchgear_bpf *all = switchgear_bpf__open();
	struct bpf_program *prog;

	if (!all) {
		fprintf(stderr, "verify: the BPF object in this program is broken\n");
		return 1;
	}
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* needed before 5.11 */
	libbpf_set_print(quiet);
	bpf_object__for_each_program(prog, all->obj) report(bpf_program__name(prog));
	switchgear_bpf__destroy(all);
	return 0;
}
