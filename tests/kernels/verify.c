/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the verifier of the running kernel says of every program in the given
 * objects, loaded alone, with the constants that the daemon would choose here:
 * one line each, "OBJECT NAME ok|ERRNO INSTRUCTIONS STATES MICROSECONDS", and the
 * end of its log where it refuses one. OBJECT is the name of the file up to the
 * first ".bpf". Attaches nothing.
 * usage: kernels_verify FILE.bpf.o...
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bpf/libbpf.h>

#include "dataplane/private.h"

#include "base/log.h"

#define STATS_ONLY 4
#define TAIL 1200

static char log_text[1 << 20];
static struct sg_rodata rodata;

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

/* What the daemon finds out about this kernel decides which code the verifier sees. */
static int read_rodata(void)
{
	const struct dataplane_options none = { 0 };
	CLEANUP(dataplane_closep) struct dataplane *dp = calloc(1, sizeof(*dp));
	int r = -ENOMEM;

	if (dp) {
		dp->dir_fd = -1;
		dp->quiet = true;
		r = dataplane_load(dp, &none);
	}
	if (r)
		printf("# the daemon's own object does not load: %s\n", strerror(-r));
	else
		rodata = dp->skel->rodata_sg->sg_rodata;
	return r;
}

/* The number that follows `name` in the verifier's statistics, 0 without one. */
static unsigned long number_after(const char *name)
{
	const char *at = strstr(log_text, name);

	return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/* Where a variable of a data section lies, -ENOENT if it is not there. */
static int offset_of(const struct btf *btf, const char *section, const char *variable)
{
	const struct btf_type *t =
		btf__type_by_id(btf, btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC));

	for (int i = 0; t && i < btf_vlen(t); i++) {
		const struct btf_var_secinfo *v = btf_var_secinfos(t) + i;
		const struct btf_type *var = btf__type_by_id(btf, v->type);

		if (!strcmp(btf__name_by_offset(btf, var->name_off), variable))
			return v->offset;
	}
	return -ENOENT;
}

static int set_rodata(struct bpf_object *obj)
{
	static const char section[] = ".rodata.sg";
	struct bpf_map *map = bpf_object__find_map_by_name(obj, section);
	int at = offset_of(bpf_object__btf(obj), section, "sg_rodata");
	size_t size = 0;
	const void *initial = map ? bpf_map__initial_value(map, &size) : NULL;
	char value[1024];

	if (at < 0 || !initial || size > sizeof(value) || at + sizeof(rodata) > size)
		return -ENOENT;
	memcpy(value, initial, size);
	memcpy(value + at, &rodata, sizeof(rodata));
	return bpf_map__set_initial_value(map, value, size);
}

/* Loads the object with this one program; 0 or what the kernel said. */
static int load_alone(const char *file, const char *name)
{
	struct bpf_object *obj = bpf_object__open_file(file, NULL);
	struct bpf_program *prog;
	int r;

	if (!obj)
		return -errno;
	dataplane_hooks_set(obj);
	bpf_object__for_each_program(prog, obj)
	{
		bool chosen = !strcmp(bpf_program__name(prog), name);

		bpf_program__set_autoload(prog, chosen);
		if (chosen) {
			bpf_program__set_log_level(prog, STATS_ONLY);
			bpf_program__set_log_buf(prog, log_text, sizeof(log_text));
		}
	}
	log_text[0] = '\0';
	r = set_rodata(obj);
	if (!r)
		r = bpf_object__load(obj);
	else
		snprintf(log_text, sizeof(log_text), "the object has no sg_rodata\n");
	bpf_object__close(obj);
	return r;
}

static void report(const char *file, const char *object, const char *name)
{
	int r = load_alone(file, name);
	size_t len = strlen(log_text);

	printf("%s %s %s %lu %lu %lu\n", object, name, r ? strerrorname_np(-r) : "ok",
	       number_after("\nprocessed "), number_after("total_states "),
	       number_after("verification time "));
	if (r)
		printf("%s\n", len > TAIL ? log_text + len - TAIL : log_text);
}

static int report_all(const char *file)
{
	struct bpf_object *obj = bpf_object__open_file(file, NULL);
	struct bpf_program *prog;
	char path[512];
	char *object;

	if (!obj) {
		fprintf(stderr, "verify: %s is no BPF object: %s\n", file, strerror(errno));
		return 1;
	}
	snprintf(path, sizeof(path), "%s", file);
	object = basename(path);
	object[strcspn(object, ".")] = '\0';
	bpf_object__for_each_program(prog, obj) report(file, object, bpf_program__name(prog));
	bpf_object__close(obj);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int bad;

	log_set_level(LOG_LEVEL_ERROR);
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* needed before 5.11 */
	bad = read_rodata() ? 1 : 0;
	libbpf_set_print(quiet);
	for (int i = 1; i < argc; i++)
		bad |= report_all(argv[i]);
	return bad;
}
