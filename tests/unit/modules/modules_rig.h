/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of modules share: the whole daemon over fakes, and what to configure. */
#ifndef SWITCHGEAR_TESTS_MODULES_RIG_H
#define SWITCHGEAR_TESTS_MODULES_RIG_H

#include "fake/rig.h"
#include "io/probe_job.h"
#include "io/resolver.h"
#include "modules/modules.h"

#define EXACT "\"defaults\":{\"breaker\":{\"jitter\":0}},"
#define A "\"a\":{\"url\":\"http://127.0.0.1:1/mcp\"}"
#define B "\"b\":{\"url\":\"https://127.0.0.1:2/mcp\"}"
#define C "\"c\":{\"url\":\"http://127.0.0.1:3/mcp\"}"
#define FILES "\"files\":{\"command\":\"npx\"}"
#define NAMED "\"named\":{\"url\":\"https://named.example/mcp\"}"
#define COVERED "\"again\":{\"url\":\"https://127.0.0.1:2/other\"}"
#define SERVERS(...) "{" EXACT "\"mcpServers\":{" __VA_ARGS__ "}}"

extern struct rig rig;                   /* of the test program */
extern struct resolver_group fake_group; /* what the next look-ups of api_group find */
/* What probes come to, and what was asked and told last. */
extern struct fake_probe {
	struct probe_result result;
	const char *why;
	int r;      /* of the worker, which then says nothing */
	size_t cut; /* bytes that are missing of the verdict */
	size_t asked;
	struct probe_job job;
	int own;
	int told;
} fake_probe;
/* What servers offer: the answer to each that is asked for its tools, "": the worker dies. */
extern struct fake_list {
	const char *text; /* an encoded struct tools_answer */
	size_t asked;
} fake_list;
int modules_setup(void **state);
int modules_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, modules_setup, modules_teardown)

static inline uint32_t id_of(const char *name)
{
	return rig_server(&rig, name)->id;
}

static inline struct fake_server *kernel(const char *name)
{
	return &rig.d.dp->servers[id_of(name)];
}

/* Trips it by failures, which is a pass of its own. */
static inline void open_up(const char *name)
{
	fake_failures(rig.d.dp, id_of(name), 5);
	rig_pass(&rig);
}

/* modules_work.c: what is for a child waits, until the latest job is let go a moment later. */
void modules_work_hold(void);
void modules_work_release(void);

#endif
