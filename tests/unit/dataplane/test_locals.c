/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/parse.h"
#include "dataplane/locals.h"

#define SEQ 7U

struct message {
	uint8_t bytes[512];
	size_t len;
};

static void put(struct message *m, const void *data, size_t len)
{
	memcpy(m->bytes + m->len, data, len);
	m->len += (len + 3) & ~(size_t)3;
}

static size_t begin(struct message *m, uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr head = { .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq };
	size_t at = m->len;

	put(m, &head, sizeof(head));
	return at;
}

static void end(struct message *m, size_t at)
{
	uint32_t len = (uint32_t)(m->len - at);

	memcpy(m->bytes + at, &len, sizeof(len));
}

static void put_attr(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct rtattr attr = { .rta_len = (uint16_t)(sizeof(attr) + len), .rta_type = type };

	put(m, &attr, sizeof(attr));
	put(m, data, len);
}

static void put_address(struct message *m, uint8_t family, uint16_t type, const void *addr,
			size_t len)
{
	struct ifaddrmsg body = { .ifa_family = family };
	size_t at = begin(m, RTM_NEWADDR, NLM_F_MULTI, SEQ);

	put(m, &body, sizeof(body));
	put_attr(m, IFA_LABEL, "veth0", 6);
	put_attr(m, type, addr, len);
	end(m, at);
}

static const uint8_t v4[4] = { 10, 1, 2, 3 };
static const uint8_t v6[16] = { 0xfd, [15] = 1 };

static bool has(const struct locals_list *list, const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(text, &a), 0);
	return locals_list_has(list, &a);
}

static void reads_both_families(void **state)
{
	struct locals_list list = { 0 };
	struct message m = { 0 };

	(void)state;
	put_address(&m, AF_INET, IFA_LOCAL, v4, 4);
	put_address(&m, AF_INET6, IFA_ADDRESS, v6, 16);
	put_address(&m, AF_INET6, IFA_ADDRESS, v6, 16); /* on two interfaces: once */
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), 0);
	assert_int_equal(list.n, 2);
	assert_true(has(&list, "10.1.2.3"));
	assert_true(has(&list, "fd00::1"));
	m.len = 0;
	end(&m, begin(&m, NLMSG_DONE, NLM_F_MULTI, SEQ));
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), 1);
	locals_list_done(&list);
}

static void takes_the_own_end_of_a_point_to_point_link(void **state)
{
	static const uint8_t peer[4] = { 10, 9, 9, 9 };
	struct ifaddrmsg body = { .ifa_family = AF_INET };
	struct locals_list list = { 0 };
	struct message m = { 0 };
	size_t at = begin(&m, RTM_NEWADDR, NLM_F_MULTI, SEQ);

	(void)state;
	put(&m, &body, sizeof(body));
	put_attr(&m, IFA_ADDRESS, peer, 4);
	put_attr(&m, IFA_LOCAL, v4, 4);
	end(&m, at);
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), 0);
	assert_int_equal(list.n, 1);
	assert_true(has(&list, "10.1.2.3"));
	locals_list_done(&list);
}

static void ignores_other_conversations(void **state)
{
	struct locals_list list = { 0 };
	struct message m = { 0 };

	(void)state;
	put_address(&m, AF_INET, IFA_LOCAL, v4, 4);
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ + 1, &list), 0);
	assert_int_equal(list.n, 0);
	/* Wrong lengths for the family are not addresses. */
	m.len = 0;
	put_address(&m, AF_INET, IFA_LOCAL, v6, 16);
	put_address(&m, AF_INET6, IFA_ADDRESS, v4, 4);
	put_address(&m, AF_INET, IFA_LOCAL, v4, 3);
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), 0);
	assert_int_equal(list.n, 0);
}

static void tells_errors_and_interrupted_dumps(void **state)
{
	struct nlmsgerr error = { .error = -EPERM };
	struct locals_list list = { 0 };
	struct message m = { 0 };
	size_t at = begin(&m, NLMSG_ERROR, 0, SEQ);

	(void)state;
	put(&m, &error, sizeof(error));
	end(&m, at);
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), -EPERM);
	m.len = 0;
	end(&m, begin(&m, NLMSG_ERROR, 0, SEQ)); /* too short to hold its code */
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), -EBADMSG);
	m.len = 0;
	end(&m, begin(&m, NLMSG_DONE, NLM_F_DUMP_INTR, SEQ));
	assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), -EAGAIN);
}

static void set_u32(struct message *m, size_t at, uint32_t value)
{
	memcpy(m->bytes + at, &value, sizeof(value));
}

static void rejects_lengths_that_lie(void **state)
{
	static const uint32_t bad[] = { 0, 1, 15, 4096, 0x7fffffff, 0xffffffff };
	struct locals_list list = { 0 };
	struct message m = { 0 };
	uint16_t attr;

	(void)state;
	put_address(&m, AF_INET, IFA_LOCAL, v4, 4);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_u32(&m, 0, bad[i]);
		assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), -EBADMSG);
	}
	set_u32(&m, 0, (uint32_t)m.len);
	for (size_t i = 0; i < 4; i++) {
		static const uint16_t lengths[] = { 0, 3, 64, 0xffff };

		attr = lengths[i];
		memcpy(m.bytes + sizeof(struct nlmsghdr) + sizeof(struct ifaddrmsg), &attr, 2);
		assert_int_equal(locals_parse(m.bytes, m.len, SEQ, &list), -EBADMSG);
	}
	set_u32(&m, 0, sizeof(struct nlmsghdr) + 2); /* no room for the body */
	assert_int_equal(locals_parse(m.bytes, sizeof(struct nlmsghdr) + 4, SEQ, &list), -EBADMSG);
	assert_int_equal(list.n, 0);
	locals_list_done(&list);
}

/* Every truncation and every single wrong byte: no access outside (sanitizers watch). */
static void survives_damage(void **state)
{
	struct message good = { 0 };

	(void)state;
	put_address(&good, AF_INET, IFA_LOCAL, v4, 4);
	put_address(&good, AF_INET6, IFA_ADDRESS, v6, 16);
	for (size_t len = 0; len <= good.len; len++) {
		struct locals_list list = { 0 };
		CLEANUP(freep) uint8_t *copy = malloc(len + 1);

		assert_non_null(copy);
		memcpy(copy, good.bytes, len);
		assert_true(locals_parse(copy, len, SEQ, &list) <= 0);
		assert_true(list.n <= 2);
		locals_list_done(&list);
	}
	for (size_t at = 0; at < good.len; at++)
		for (unsigned int value = 0; value < 256; value += 17) {
			struct locals_list list = { 0 };
			CLEANUP(freep) uint8_t *copy = malloc(good.len);
			int r;

			assert_non_null(copy);
			memcpy(copy, good.bytes, good.len);
			copy[at] = (uint8_t)value;
			r = locals_parse(copy, good.len, SEQ, &list);
			assert_true(r <= 1);
			locals_list_done(&list);
		}
}

static int run(const char *command)
{
	return system(command) == 0 ? 0 : -1;
}

static int poll_in(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms);
}

/* In a network namespace of its own. */
static int in_namespace(void)
{
	CLEANUP(locals_freep) struct locals *locals = NULL;
	CLEANUP(locals_list_done) struct locals_list list = { 0 };

	if (unshare(CLONE_NEWNET) < 0 || run("command -v ip >/dev/null"))
		return 77;
	if (locals_watch(&locals) < 0 || locals_changed(locals) != 0)
		return 1;
	if (run("ip link add sgtest0 type veth peer name sgtest1"))
		return 77;
	if (run("ip addr add 10.77.0.1/24 dev sgtest0 && ip link set sgtest0 up") ||
	    run("ip addr add fd77::1/64 dev sgtest0 nodad"))
		return 2;
	if (poll_in(locals_fd(locals), 2000) != 1 || locals_changed(locals) != 1)
		return 3;
	if (locals_read(&list) < 0)
		return 4;
	if (!has(&list, "10.77.0.1") || !has(&list, "fd77::1") || has(&list, "10.77.0.2"))
		return 5;
	while (poll_in(locals_fd(locals), 200) == 1)
		if (locals_changed(locals) < 0)
			return 6;
	if (locals_changed(locals) != 0)
		return 7;
	if (run("ip addr del 10.77.0.1/24 dev sgtest0") || locals_changed(locals) != 1)
		return 8;
	locals_list_done(&list);
	return locals_read(&list) == 0 && !has(&list, "10.77.0.1") ? 0 : 9;
}

static void follows_the_kernel(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(in_namespace());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_both_families),
		cmocka_unit_test(takes_the_own_end_of_a_point_to_point_link),
		cmocka_unit_test(ignores_other_conversations),
		cmocka_unit_test(tells_errors_and_interrupted_dumps),
		cmocka_unit_test(rejects_lengths_that_lie),
		cmocka_unit_test(survives_damage),
		cmocka_unit_test(follows_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
