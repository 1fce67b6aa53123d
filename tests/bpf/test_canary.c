/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The self-test against programs that enforce, and against what can be wrong with them. */
#include "bpf/rig.h"

#include <poll.h>

#include "dataplane/canary.h"
#include "io/child.h"

static struct dataplane *dp;
static struct canary *canary;

static const struct canary_result *test_once(void)
{
	CLEANUP(child_freep) struct child *child = NULL;
	int keep[DATAPLANE_FDS_MAX + CANARY_FDS];
	struct child_job job = { .fn = canary_order_run,
				 .data = &canary,
				 .size = sizeof(struct canary_outcome),
				 .deadline_ns = clock_boot_ns() + CANARY_RUN_NS,
				 .keep = keep,
				 .n_keep = dataplane_child_fds(dp, keep, DATAPLANE_FDS_MAX) };
	const struct canary_outcome *outcome;
	int r = -ETIMEDOUT;

	for (size_t i = 0; i < CANARY_FDS; i++)
		keep[job.n_keep++] = canary_fds(canary)[i];
	canary_begin(canary);
	assert_int_equal(child_start(&job, &child), 0);
	while (child_run(child) == CHILD_RUNNING) {
		struct pollfd p = { .fd = child_fd(child), .events = POLLIN };

		poll(&p, 1, 10);
	}
	outcome = child_result(child, &r);
	return canary_end(canary, r, outcome);
}

/* Not at once, where its own limit of time was shorter than the processor was slow. */
static const struct canary_result *test_until(enum canary_found found)
{
	const struct canary_result *result = test_once();

	for (int i = 0; i < 10 && result->found != found; i++)
		result = test_once();
	assert_int_equal(result->found, found);
	return result;
}

static void it_bites(void **state)
{
	const struct canary_result *result;

	(void)state;
	dataplane_can_kill(dp, false);
	result = test_until(CANARY_OK);
	assert_true(result->ok);
	assert_string_equal(result->text, "ok");
	assert_int_equal(result->links_gone, 0);
	assert_true(dataplane_kills(dp));
	assert_true(dataplane_quarantine_until(dp, SG_TARGET) == 0);
	assert_true(result->elapsed_ns > 0);
}

static void a_canary_without_a_rule(void **state)
{
	(void)state;
	assert_int_equal(dataplane_endpoints_set(dp, SG_CANARY, NULL, NULL, 0), 0);
	assert_false(test_until(CANARY_CONNECTED)->ok);
	canary_free(canary);
	canary = NULL;
}

static void another_one_puts_it_back(void **state)
{
	(void)state;
	assert_int_equal(canary_new(dp, rig_cgroup(), &canary), 0);
	assert_true(test_until(CANARY_OK)->ok);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_bites),
		cmocka_unit_test(a_canary_without_a_rule),
		cmocka_unit_test(another_one_puts_it_back),
	};
	int r;

	dp = rig_open();
	if (canary_new(dp, rig_cgroup(), &canary))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	canary_free(canary);
	dataplane_close(dp);
	return r;
}

int main(void)
{
	return rig_main(run);
}
