/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tests of flow records share: one conversation, and looks into the records. */
#ifndef SWITCHGEAR_TESTS_BPF_FLOWS_H
#define SWITCHGEAR_TESTS_BPF_FLOWS_H

#include "bpf/one.h"

#include "dataplane/kill.h"

#define POST "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
#define STRANGER (1ULL << 60) /* a cookie that no socket has */

static inline void fresh(const struct sg_policy *policy)
{
	talk_end(&talk);
	talk.name = TALK_V4;
	/* what an earlier test left would go on to retransmit */
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	rig_kill(dp);
	dataplane_lease(dp, SG_FOREVER);
	dataplane_can_kill(dp, true);
	rig_server(dp, policy, NS_PER_SEC);
	events.n = 0;
}

static inline int flows(void)
{
	return bpf_map__fd(dp->skel->maps.flows);
}

static inline bool record(uint64_t cookie, struct sg_flow *ret)
{
	return !bpf_map_lookup_elem(flows(), &cookie, ret);
}

static inline void record_write(uint64_t cookie, const struct sg_flow *f)
{
	assert_int_equal(bpf_map_update_elem(flows(), &cookie, f, BPF_ANY), 0);
}

static inline struct dataplane_sweep sweep(void)
{
	struct dataplane_sweep result;

	assert_int_equal(dataplane_sweep(dp, &result), 0);
	return result;
}

/* The program's own answer to a command of that many bytes. */
static inline __u32 walk_run(struct sg_walk_command *cmd, struct sg_walk_command *out, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = cmd, .data_size_in = (__u32)size,
		    .data_out = out, .data_size_out = sizeof(*out), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(dp->skel->progs.sg_walk), &run), 0);
	return run.retval;
}

static inline __u32 walk(enum sg_walk_op op, uint64_t cookie, uint32_t serial)
{
	struct sg_walk_command cmd = { .magic = SG_WALK_MAGIC, .op = op, .n = 1 };
	struct sg_walk_command out;

	cmd.item[0].cookie = cookie;
	cmd.item[0].serial = serial;
	assert_int_equal(walk_run(&cmd, &out, sizeof(cmd)), 0);
	return out.item[0].result;
}

/* All records that the table holds, in use or not. */
static inline uint32_t records(void)
{
	struct dataplane_fill fill[8];
	size_t n = dataplane_fill(dp, fill, ARRAY_SIZE(fill));

	for (size_t i = 0; i < n; i++)
		if (!strcmp(fill[i].map, "flows"))
			return fill[i].used;
	fail_msg("nobody counts the flows");
	return 0;
}

static inline enum sg_state state_now(void)
{
	struct sg_server srv;
	__u32 id = RIG_SERVER;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_state), &id, &srv), 0);
	return (enum sg_state)srv.breaker.state;
}

static inline size_t count(unsigned int type)
{
	size_t n = 0;

	rig_read(dp, &events);
	for (size_t i = 0; i < events.n; i++)
		n += events.e[i].type == type;
	return n;
}

static inline void order_open(uint64_t until)
{
	rig_command(dp, (struct sg_command){
				.op = SG_CMD_ORDER, .state = SG_FORCED_OPEN, .until_ns = until });
	rig_drain(dp);
}

#endif
