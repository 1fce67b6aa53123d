/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What goes round the programs: calls through a proxy, and connects that others rewrite. */
#include <string.h>

#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

static bool watched; /* the one that was named */

static size_t named(size_t server, const char **ret_proxy)
{
	static char proxy[80];
	struct status s;
	size_t n;

	rig_status(&rig, &s);
	n = s.servers[server].n_proxied;
	watched = n && s.servers[server].proxied[0].watched;
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

/* Whose proxy is not one of HTTP in clear is named, and is not watched. */
static void test_proxied(void **state)
{
	const char *proxy;

	(void)state;
	rig.d.dp->proxied = "http_proxy=socks5://u:hush@10.0.0.1:3128/";
	rig_start(&rig, SERVERS(A "," B "," FILES));
	assert_int_equal(named(0, &proxy), 0);
	look();
	assert_int_equal(named(0, &proxy), 1);
	assert_string_equal(proxy, "10.0.0.1:3128");
	assert_false(watched);
	assert_int_equal(rig.d.dp->n_proxies, 0);
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
	rig.d.dp->proxied = NULL;
	look();
	assert_int_equal(named(1, &proxy), 0);
	assert_false(rig_degraded(&rig, "proxy"));
}

static void assert_proxy(size_t i, const char *addr, uint16_t port)
{
	struct addr a;

	assert_int_equal(parse_addr(addr, &a), 0);
	assert_memory_equal(&rig.d.dp->proxies[i].addr, &a, sizeof(a));
	assert_int_equal(rig.d.dp->proxies[i].port, port);
}

/* The kernel is told of the others, for as long as somebody has them, and then it is well. */
static void test_proxied_watched(void **state)
{
	const char *proxy;

	(void)state;
	rig.d.dp->proxied = "HTTP_PROXY=http://u:hush@10.0.0.1:3128/";
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(rig.d.dp->n_proxies, 0);
	assert_true(rig.d.dp->proxies_added); /* to what an earlier daemon had found */
	look();
	assert_int_equal(rig.d.dp->n_proxies, 1);
	assert_false(rig.d.dp->proxies_added);
	assert_proxy(0, "10.0.0.1", 3128);
	assert_int_equal(named(0, &proxy), 1);
	assert_true(watched);
	assert_false(rig_degraded(&rig, "proxy"));
	rig.d.dp->proxied = "http_proxy=127.0.0.1:3128"; /* of a namespace that is not ours */
	look();
	assert_int_equal(rig.d.dp->n_proxies, 2);
	assert_int_equal(named(0, &proxy), 1);
	assert_false(watched);
	assert_true(rig_degraded(&rig, "pid 4711 (python3) by 127.0.0.1:3128"));
	rig.d.dp->proxied = NULL;
	for (int i = 0; i < 12; i++)
		look();
	assert_int_equal(rig.d.dp->n_proxies, 0);
}

static bool has_target(const char *name)
{
	const struct dataplane *dp = rig.d.dp;

	for (size_t i = 0; i < dp->n_targets; i++)
		if (!strcmp((const char *)dp->targets[i].name.text, name))
			return dp->targets[i].server == fake_id(dp, "a") ||
			       dp->targets[i].server == fake_id(dp, "b");
	return false;
}

static void test_proxied_configured(void **state)
{
	(void)state;
	rig_start(&rig, "{\"proxies\":[\"http://u:hush@10.0.0.9:8080/\",\"http://[fd00::1]\"],"
			"\"mcpServers\":{" A "," B "}}");
	assert_int_equal(rig.d.dp->n_proxies, 2);
	assert_proxy(0, "10.0.0.9", 8080);
	assert_proxy(1, "fd00::1", 80);
	assert_true(rig.d.dp->n_targets >= 2);
	assert_true(has_target("127.0.0.1:1") && has_target("127.0.0.1:2"));
	look();
	assert_int_equal(rig.d.dp->n_proxies, 2); /* nobody has them in an environment */
	rig_reload(&rig, SERVERS(A));
	assert_int_equal(rig.d.dp->n_proxies, 0);
	assert_int_equal(rig.d.dp->n_targets, 1);
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
	const struct CMUnitTest tests[] = { TEST(test_proxied), TEST(test_proxied_watched),
					    TEST(test_proxied_configured), TEST(test_foreign) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
