/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A load of the programs, and one conversation under them: what a test is about. */
#ifndef SWITCHGEAR_TESTS_BPF_ONE_H
#define SWITCHGEAR_TESTS_BPF_ONE_H

#include "bpf/talk.h"

static struct dataplane *dp;
static struct talk talk;
static struct rig_events events;

static inline int setup(void **state)
{
	(void)state;
	dp = rig_open();
	talk_init(&talk, dp);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	talk_done(&talk);
	assert_int_equal(dataplane_detach(dp, &(struct detach_result){ 0 }), 0);
	dataplane_close(dp);
	return 0;
}

#endif
