/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs the iterators. One walk at a time: their parameters are in one map. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "io/bpf_private.h"

#define SUB "bpf"
#define VICTIMS_MAX 1000000
#define HAND_OVER_NS 1000000

void dataplane_victims_done(struct dataplane_victims *victims)
{
	free(victims->v);
	victims->v = NULL;
	victims->n = 0;
}

static int job_write(struct dataplane *dp, const struct sg_job *job)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(dp->skel->maps.job), &zero, job, BPF_ANY))
		return log_failure(-errno, SUB, "cannot write the iterators' parameters");
	return 0;
}

/* What a walk wrote, whole records of one size. */
typedef int record_fn(void *data, const void *records, size_t n);

static int victims_add(void *data, const void *records, size_t n)
{
	struct dataplane_victims *out = data;
	struct sg_victim *v;

	if (out->n + n > VICTIMS_MAX)
		return -E2BIG;
	v = realloc(out->v, (out->n + n) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memcpy(v + out->n, records, n * sizeof(*v));
	out->v = v;
	out->n += n;
	return 0;
}

/* Runs one iterator to its end; its records of `size` bytes go to fn. */
static int walk(struct dataplane *dp, const struct bpf_link *link, const struct sg_job *job,
		size_t size, record_fn *fn, void *data)
{
	char buf[65536];
	CLEANUP(closep) int fd = -1;
	size_t have = 0;
	size_t whole;
	ssize_t n;
	int r;

	r = job_write(dp, job);
	if (r)
		return r;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return log_failure(-errno, SUB, "cannot start a walk over sockets");
	for (;;) {
		n = read(fd, buf + have, sizeof(buf) - have);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return log_failure(-errno, SUB, "a walk over sockets failed");
		if (!n)
			return 0;
		have += (size_t)n;
		whole = have - have % size;
		r = whole ? fn(data, buf, whole / size) : 0;
		if (r)
			return r;
		memmove(buf, buf + whole, have - whole);
		have -= whole;
	}
}

static int walk_victims(struct dataplane *dp, const struct bpf_link *link, const struct sg_job *job,
			struct dataplane_victims *out)
{
	return walk(dp, link, job, sizeof(struct sg_victim), victims_add, out);
}

int dataplane_find(struct dataplane *dp, uint32_t server, struct dataplane_victims *ret)
{
	struct sg_job job = { .server = server };
	struct dataplane_victims out = { 0 };
	int r;

	if (!dp->iter_find)
		return -ENOTSUP;
	r = walk_victims(dp, dp->iter_find, &job, &out);
	if (r) {
		dataplane_victims_done(&out);
		return r;
	}
	*ret = out;
	return 0;
}

int dataplane_kill_here(struct dataplane *dp, uint32_t server, struct dataplane_victims *ret)
{
	struct sg_job job = { .server = server };
	struct dataplane_victims out = { 0 };
	int r = 0;

	if (!dp->iter_kill_tcp || !dp->iter_kill_udp)
		return -ENOTSUP;
	r = walk_victims(dp, dp->iter_kill_tcp, &job, &out);
	if (!r)
		r = walk_victims(dp, dp->iter_kill_udp, &job, &out);
	for (size_t i = 0; i < out.n && !r; i++)
		if (out.v[i].error == -ENOSYS) /* sg_kill_tcp without bpf_sock_destroy() */
			r = -ENOTSUP;
	if (r) {
		dataplane_victims_done(&out);
		return r;
	}
	*ret = out;
	return 0;
}

int dataplane_adopt_here(struct dataplane *dp, uint64_t netns_cookie, size_t *ret_n)
{
	struct sg_job job = { .server = SG_SERVERS_MAX, .netns = netns_cookie };
	struct dataplane_victims out = { 0 };
	int r = 0;

	if (dp->iter_adopt_tcp)
		r = walk_victims(dp, dp->iter_adopt_tcp, &job, &out);
	if (!r && dp->iter_adopt_udp)
		r = walk_victims(dp, dp->iter_adopt_udp, &job, &out);
	*ret_n = out.n;
	dataplane_victims_done(&out);
	return r;
}

bool dataplane_adopts(const struct dataplane *dp)
{
	return dp->iter_adopt_tcp;
}

/* What the sweep handed over is reported here: it could not do so itself. */
static int ended_report(void *data, const void *records, size_t n)
{
	struct dataplane *dp = data;
	struct sg_command cmd = { .op = SG_CMD_OUTCOME };

	for (size_t i = 0; i < n; i++) {
		int r;

		memcpy(&cmd.ended, (const struct sg_ended *)records + i, sizeof(cmd.ended));
		cmd.server = cmd.ended.server;
		r = dataplane_command(dp, &cmd);
		if (r && r != -ENOENT) /* forgotten meanwhile */
			return r;
	}
	return 0;
}

static int sweep_pass(struct dataplane *dp, struct sg_sweep *ret)
{
	struct sg_job job = { .server = SG_SERVERS_MAX };
	struct sg_sweep sweep = { .next_ns = SG_FOREVER };
	__u32 zero = 0;
	int fd = bpf_map__fd(dp->skel->maps.swept);
	int r;

	if (bpf_map_update_elem(fd, &zero, &sweep, BPF_ANY))
		return log_failure(-errno, SUB, "cannot prepare the sweep");
	r = walk(dp, dp->iter_sweep, &job, sizeof(struct sg_ended), ended_report, dp);
	if (r)
		return r;
	if (bpf_map_lookup_elem(fd, &zero, ret))
		return log_failure(-errno, SUB, "cannot read what the sweep found");
	return 0;
}

int dataplane_sweep(struct dataplane *dp, struct sg_sweep *ret)
{
	struct sg_sweep sweep = { 0 };
	int r;

	if (!dp->iter_sweep)
		return -ENOTSUP;
	r = sweep_pass(dp, &sweep);
	if (!r && sweep.marked) {
		/* by then a hook that did not see the mark yet is through */
		nanosleep(&(struct timespec){ .tv_nsec = HAND_OVER_NS }, NULL);
		r = sweep_pass(dp, &sweep);
	}
	if (!r)
		*ret = sweep;
	return r;
}
