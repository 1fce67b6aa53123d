/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What goes round the programs: calls through a proxy, and connects that others rewrite. */
#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

static size_t named(size_t server, const char **ret_proxy)
{
	static char proxy[80];
	struct status s;
	size_t n;

	rig_status(&rig, &s);
	n = s.servers[server].n_proxied;
	snprintf(proxy, sizeof(proxy), "%s", n ? s.servers[server].proxied[0].proxy : "");
	status_done(&s);
	*ret_proxy = proxy;
	return n;
}

static void look(void)
{
	rig_advance(&rig, SECONDS(61));
	rig_turn(&rig);
}

static void test_proxied(void **state)
{
	const char *proxy;

	(void)state;
	rig.d.dp->proxied = true;
	rig_start(&rig, SERVERS(A "," B "," FILES));
	assert_int_equal(named(0, &proxy), 0);
	look();
	assert_int_equal(named(0, &proxy), 1);
	assert_string_equal(proxy, "10.0.0.1:3128");
	assert_int_equal(named(1, &proxy), 0); /* https */
	assert_int_equal(named(2, &proxy), 0); /* a command */
	assert_true(rig_degraded(&rig, "1 process of the protected cgroup calls servers through a "
				       "proxy, and these calls are not watched: pid 4711 (python3) "
				       "by 10.0.0.1:3128; at \"a\";"));
	assert_false(rig_degraded(&rig, "hush"));
	/* another server stands where it stood */
	rig_reload(&rig, SERVERS(B "," A));
	assert_int_equal(named(0, &proxy), 0);
	look();
	assert_int_equal(named(0, &proxy), 0);
	assert_int_equal(named(1, &proxy), 1);
	rig.d.dp->proxied = false;
	look();
	assert_int_equal(named(1, &proxy), 0);
	assert_false(rig_degraded(&rig, "proxy"));
}

static void test_foreign(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_false(rig_degraded(&rig, "BPF program"));
	rig.d.dp->foreign[0] = (struct dataplane_foreign){ 7, "first", true };
	rig.d.dp->foreign[1] = (struct dataplane_foreign){ 8, "last", false };
	assert_true(rig_degraded(&rig,
				 "\"first\" (id 7) sees connects of the protected cgroup before"));
	assert_true(
		rig_degraded(&rig, "\"last\" (id 8) sees connects of the protected cgroup after"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_proxied), TEST(test_foreign) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
