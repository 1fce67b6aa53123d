/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs the iterators. One walk at a time: their parameters are in one map. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "io/bpf_private.h"

#define SUB "bpf"
#define VICTIMS_MAX 1000000

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

static int victims_add(struct dataplane_victims *out, const void *data, size_t len)
{
	size_t n = len / sizeof(struct sg_victim);
	struct sg_victim *v;

	if (out->n + n > VICTIMS_MAX)
		return -E2BIG;
	v = realloc(out->v, (out->n + n) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memcpy(v + out->n, data, n * sizeof(*v));
	out->v = v;
	out->n += n;
	return 0;
}

/* Runs one iterator to its end; its records are appended to *out (NULL: thrown away). */
static int walk(const struct bpf_link *link, const struct sg_job *job, struct dataplane *dp,
		struct dataplane_victims *out)
{
	char buf[sizeof(struct sg_victim) * 512];
	CLEANUP(closep) int fd = -1;
	size_t have = 0;
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
		r = out ? victims_add(out, buf, have) : 0;
		if (r)
			return r;
		n = (ssize_t)(have % sizeof(struct sg_victim));
		memmove(buf, buf + have - n, (size_t)n);
		have = (size_t)n;
	}
}

int dataplane_find(struct dataplane *dp, uint32_t server, struct dataplane_victims *ret)
{
	struct sg_job job = { .server = server };
	struct dataplane_victims out = { 0 };
	int r;

	if (!dp->iter_find)
		return -ENOTSUP;
	r = walk(dp->iter_find, &job, dp, &out);
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

	if (!dp->iter_kill_tcp)
		return -ENOTSUP;
	r = walk(dp->iter_kill_tcp, &job, dp, &out);
	if (!r && dp->iter_kill_udp)
		r = walk(dp->iter_kill_udp, &job, dp, &out);
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
		r = walk(dp->iter_adopt_tcp, &job, dp, &out);
	if (!r && dp->iter_adopt_udp)
		r = walk(dp->iter_adopt_udp, &job, dp, &out);
	*ret_n = out.n;
	dataplane_victims_done(&out);
	return r;
}

int dataplane_sweep(struct dataplane *dp, struct sg_sweep *ret)
{
	struct sg_sweep sweep = { .next_ns = SG_FOREVER };
	struct sg_job job = { .server = SG_SERVERS_MAX };
	__u32 zero = 0;
	int fd = bpf_map__fd(dp->skel->maps.swept);
	int r;

	if (!dp->iter_sweep)
		return -ENOTSUP;
	if (bpf_map_update_elem(fd, &zero, &sweep, BPF_ANY))
		return log_failure(-errno, SUB, "cannot prepare the sweep");
	r = walk(dp->iter_sweep, &job, dp, NULL);
	if (r)
		return r;
	if (bpf_map_lookup_elem(fd, &zero, &sweep))
		return log_failure(-errno, SUB, "cannot read what the sweep found");
	*ret = sweep;
	return 0;
}
