/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of cgroups: whose they are. What is in them is tried in tests/bpf/test_isolate.c. */
#include "dataplane/hosted.h"
#include "unit/unit.h"

static void units_and_containers(void **state)
{
	(void)state;
	assert_true(hosted_is_unit("web.service"));
	assert_true(hosted_is_unit("docker-0123abcd.scope"));
	assert_true(hosted_is_unit("libpod-0123abcd.scope"));
	assert_true(hosted_is_unit("cri-containerd-0123abcd.scope"));
	assert_true(hosted_is_unit("lxc.payload.web"));
	assert_false(hosted_is_unit("libpod-conmon-0123abcd.scope"));
	assert_false(hosted_is_unit("user@1000.service"));
	assert_false(hosted_is_unit("session-3.scope"));
	assert_false(hosted_is_unit("system.slice"));
	assert_false(hosted_is_unit("web"));
}

static void a_container_by_how_its_id_begins(void **state)
{
	(void)state;
	assert_true(hosted_is_container("docker-0123abcd.scope", "0123"));
	assert_true(hosted_is_container("libpod-0123abcd.scope", "0123abcd"));
	assert_true(hosted_is_container("lxc.payload.web", "web"));
	assert_true(hosted_is_container("0123abcd", "0123"));
	assert_false(hosted_is_container("docker-0123abcd.scope", "123"));
	assert_false(hosted_is_container("docker-0123abcd.scope", "docker"));
	assert_false(hosted_is_container("libpod-conmon-0123abcd.scope", "0123"));
	assert_false(hosted_is_container("libpod-conmon-0123abcd.scope", "conmon"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_and_containers),
		cmocka_unit_test(a_container_by_how_its_id_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
