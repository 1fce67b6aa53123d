/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Refused packets, from the ring to who asks: whose, for whom, and how many are kept. */
#include <string.h>
#include <unistd.h>

#include "unit/modules/modules_rig.h"

static void refuse(const char *server, const char *what, uint32_t skipped)
{
	struct sg_captured *p = &rig.d.dp->captured[rig.d.dp->n_captured++];

	*p = (struct sg_captured){ .t_ns = clock_boot_ns(),
				   .server = id_of(server),
				   .len = (uint32_t)strlen(what),
				   .have = (uint16_t)strlen(what),
				   .by = SG_CAPTURE_ISOLATION,
				   .out = 1,
				   .skipped = skipped };
	memcpy(p->data, what, strlen(what));
}

static bool holds(const struct rig_answer *a, const char *text)
{
	return memmem(a->text, a->len, text, strlen(text)) != NULL;
}

static void test_the_latest_of_one_server(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	refuse("a", "one of a", 0);
	refuse("b", "one of b", 0);
	rig_advance(&rig, SECONDS(1));
	refuse("a", "two of a", 9); /* not read yet */
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capture?server=a", NULL, &a), 200);
	assert_true(holds(&a, "application/x-pcapng"));
	assert_true(holds(&a, "one of a") && holds(&a, "two of a"));
	assert_false(holds(&a, "one of b"));
	assert_true(holds(&a, "a: dropped: the server's processes are isolated, leaving"));
	assert_true(holds(&a, "9 before it were not kept"));
	rig_answer_done(&a);
	assert_int_equal(rig_events(&rig, "\"capture\"", "root"), 1);
}

static void test_only_so_many_are_kept(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	for (int i = 0; i < 600; i++) {
		char what[16];

		snprintf(what, sizeof(what), "<%d>", i);
		refuse("a", what, 0);
		if (rig.d.dp->n_captured == ARRAY_SIZE(rig.d.dp->captured))
			rig_advance(&rig, SECONDS(1));
	}
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capture?server=a", NULL, &a), 200);
	assert_false(holds(&a, "<87>"));
	assert_true(holds(&a, "<88>") && holds(&a, "<599>"));
	rig_answer_done(&a);
}

static void test_who_follows_gets_what_comes(void **state)
{
	struct rig_answer a = { 0 };
	int fd;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	refuse("a", "before", 0);
	fd = rig_get(&rig, "/v1/capture?server=a&follow=1", "");
	assert_false(rig_look(&rig, fd, &a));
	assert_true(holds(&a, "before"));
	refuse("a", "after", 0);
	refuse("b", "of another", 0);
	rig_advance(&rig, SECONDS(1));
	assert_false(rig_look(&rig, fd, &a));
	assert_true(holds(&a, "after"));
	assert_false(holds(&a, "of another"));
	rig_answer_done(&a);
	close(fd);
}

static void test_what_packets_hold_is_not_for_everybody(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	refuse("a", "secret", 0);
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capture?server=a", NULL, &a), 403);
	assert_false(holds(&a, "secret"));
	rig_answer_done(&a);
	rig_client(0, 0);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capture?server=nobody", NULL, &a), 404);
	rig_answer_done(&a);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capture", NULL, &a), 404);
	rig_answer_done(&a);
}

/* An id may be another server's by now. */
static void test_of_a_server_that_is_gone_nothing_is_kept(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	refuse("a", "one of a", 0);
	rig_advance(&rig, SECONDS(1));
	rig_reload(&rig, SERVERS(B));
	rig_reload(&rig, SERVERS(B "," C));
	assert_int_equal(id_of("c"), SG_RESERVED);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capture?server=c", NULL, &a), 200);
	assert_false(holds(&a, "one of a"));
	rig_answer_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_latest_of_one_server),
		TEST(test_only_so_many_are_kept),
		TEST(test_who_follows_gets_what_comes),
		TEST(test_what_packets_hold_is_not_for_everybody),
		TEST(test_of_a_server_that_is_gone_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
