/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/check.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

#define REFUSED "new connects to denied servers are refused"
#define ADOPTED "older connections are taken over"
#define HEAD "kernel: 6.1.0-9-amd64 (asked by loading every program, attaching none)\n"

static const struct dataplane_feature all[] = {
	{ "sg_connect4", "4.17", REFUSED, "nothing can be enforced", true, true, 0 },
	{ "sg_connect6", "4.17", REFUSED, "nothing can be enforced", true, true, 0 },
	{ "sg_retransmit", "5.11", "retransmissions are counted", "retransmissions are not counted",
	  true, false, 0 },
	{ "sg_adopt_tcp", "6.1", ADOPTED, "older ones are not measured", true, false, 0 },
	{ "sg_adopt_udp", "6.5", ADOPTED, "older ones are not measured", true, false, 0 },
	{ "sg_xdp", "5.9", "packets are dropped at XDP", "packets are not dropped at XDP", true,
	  true, 0 },
	{ "sg_novel", NULL, "something new is done", "nothing new is done", true, true, 0 },
};

enum {
	CONNECT4,
	CONNECT6,
	RETRANSMIT,
	ADOPT_TCP,
	ADOPT_UDP,
	XDP,
	NOVEL
};

struct host {
	struct dataplane_feature features[ARRAY_SIZE(all)];
	struct check check;
};

static void host_init(struct host *h)
{
	memcpy(h->features, all, sizeof(all));
	h->check = (struct check){ .release = "6.1.0-9-amd64",
				   .features = h->features,
				   .n = ARRAY_SIZE(all) };
}

static void lose(struct host *h, int which, int error)
{
	h->features[which].there = false;
	h->features[which].error = error;
}

static void expect(const struct host *h, enum check_result result, const char *text)
{
	struct buf out;

	out = BUF(65536);
	check_format(&h->check, &out);
	assert_int_equal(buf_error(&out), 0);
	assert_string_equal(buf_str(&out), text);
	assert_int_equal(check_result(&h->check), result);
	buf_done(&out);
}

static void test_everything_is_there(void **state)
{
	struct host h;

	(void)state;
	host_init(&h);
	expect(&h, CHECK_FULL,
	       HEAD "works: new connects to denied servers are refused (sg_connect4, sg_connect6)\n"
		    "works: retransmissions are counted (sg_retransmit)\n"
		    "works: older connections are taken over (sg_adopt_tcp, sg_adopt_udp)\n"
		    "works: packets are dropped at XDP (sg_xdp)\n"
		    "works: something new is done (sg_novel)\n"
		    "\nThis kernel can enforce fully.\n");
}

/* What is missing and only measures, or is done another way, is told and is no failure. */
static void test_less_is_measured(void **state)
{
	struct host h;

	(void)state;
	host_init(&h);
	lose(&h, RETRANSMIT, -EINVAL);
	lose(&h, ADOPT_UDP, 0);
	expect(&h, CHECK_FULL,
	       HEAD
	       "works: new connects to denied servers are refused (sg_connect4, sg_connect6)\n"
	       "works: packets are dropped at XDP (sg_xdp)\n"
	       "works: something new is done (sg_novel)\n"
	       "lacks: retransmissions are not counted (sg_retransmit refused: Invalid "
	       "argument; needs kernel 5.11) -- SWITCHGEAR_LOG=debug shows what the kernel "
	       "says of it\n"
	       "lacks: older ones are not measured (sg_adopt_udp is missing; needs kernel 6.5) -- "
	       "boot kernel 6.5 or newer\n"
	       "\nThis kernel can enforce fully.\n");
}

static void test_enforcement_is_lost(void **state)
{
	struct host h;

	(void)state;
	host_init(&h);
	h.check.n = NOVEL;
	lose(&h, XDP, -EPERM);
	lose(&h, RETRANSMIT, -524);
	expect(&h, CHECK_PARTIAL,
	       HEAD "works: new connects to denied servers are refused (sg_connect4, sg_connect6)\n"
		    "works: older connections are taken over (sg_adopt_tcp, sg_adopt_udp)\n"
		    "lacks: retransmissions are not counted (sg_retransmit refused: Not supported "
		    "by this kernel; needs kernel 5.11) -- SWITCHGEAR_LOG=debug shows what the "
		    "kernel says of it\n"
		    "LOST:  packets are not dropped at XDP (sg_xdp refused: Operation not "
		    "permitted; needs kernel 5.9) -- run it as root; where root is refused, too, "
		    "a container, a security module or kernel lockdown forbids bpf(2); until then "
		    "drop them with a firewall\n"
		    "\nThis kernel enforces partially: packets are not dropped at XDP.\n");
}

/* The sum names each loss once, and those that have no words in the table, too. */
static void test_losses_are_summed_up(void **state)
{
	struct buf out;
	struct host h;

	(void)state;
	host_init(&h);
	h.features[ADOPT_TCP].enforces = true;
	h.features[ADOPT_UDP].enforces = true;
	lose(&h, ADOPT_TCP, -ENOMEM);
	lose(&h, ADOPT_UDP, 0);
	lose(&h, NOVEL, -EACCES);
	out = BUF(65536);
	check_format(&h.check, &out);
	assert_int_equal(check_result(&h.check), CHECK_PARTIAL);
	assert_non_null(strstr(buf_str(&out), "refused: Cannot allocate memory; needs kernel 6.1) "
					      "-- free memory, or raise"));
	assert_non_null(strstr(buf_str(&out), "LOST:  nothing new is done (sg_novel refused: "
					      "Permission denied) -- SWITCHGEAR_LOG=debug"));
	assert_non_null(strstr(buf_str(&out), "\nThis kernel enforces partially: older ones "
					      "are not measured; nothing new is done.\n"));
	buf_done(&out);
}

/* Nothing is loaded then: what would have worked is not told, nor what was not tried. */
static void test_nothing_loads(void **state)
{
	struct host h;

	(void)state;
	host_init(&h);
	for (int i = 0; i < (int)ARRAY_SIZE(all); i++)
		lose(&h, i, 0);
	h.features[RETRANSMIT].there = true;
	h.features[CONNECT6].error = -EINVAL;
	h.check.error = -EINVAL;
	expect(&h, CHECK_NONE,
	       HEAD "LOST:  nothing can be enforced (sg_connect6 refused: Invalid argument; needs "
		    "kernel 4.17) -- SWITCHGEAR_LOG=debug shows what the kernel says of it\n"
		    "\nThis kernel cannot enforce: Invalid argument -- SWITCHGEAR_LOG=debug shows "
		    "what the kernel says of it.\n");
	h.check.n = 0;
	h.check.error = -EPERM;
	expect(&h, CHECK_NONE,
	       HEAD "\nThis kernel cannot enforce: Operation not permitted -- run it as root; "
		    "where root is refused, too, a container, a security module or kernel lockdown "
		    "forbids bpf(2).\n");
}

/* A version that cannot be read is not taken for an old one. */
static void test_versions(void **state)
{
	static const struct {
		const char *release;
		const char *since;
		bool older;
	} rows[] = {
		{ "5.10.0-28-amd64", "6.1", true },
		{ "6.1.0", "6.1", false },
		{ "6.12.1", "6.2", false },
		{ "6.2", "6.12", true },
		{ "7.0-rc1", "6.12", false },
		{ "", "6.1", false },
		{ "x.y", "6.1", false },
		{ "5.10", "?", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out;
		struct host h;

		host_init(&h);
		lose(&h, RETRANSMIT, -EINVAL);
		h.check.release = rows[i].release;
		h.features[RETRANSMIT].since = rows[i].since;
		out = BUF(65536);
		check_format(&h.check, &out);
		if (!!strstr(buf_str(&out), "or newer") != rows[i].older)
			fail_msg("%s, %s: %s", rows[i].release, rows[i].since, buf_str(&out));
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_there),
		cmocka_unit_test(test_less_is_measured),
		cmocka_unit_test(test_enforcement_is_lost),
		cmocka_unit_test(test_losses_are_summed_up),
		cmocka_unit_test(test_nothing_loads),
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
