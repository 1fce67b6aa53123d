/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whom a connection was meant for: only what the kernel has written lately for its port counts. */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "relay/origins.h"

#define NOW (100 * ORIGINS_AGE_NS)

/* The ends of a connection over loopback, and the port of the first one. */
static uint16_t connect_pair(int family, int ret[2])
{
	struct sockaddr_in6 at = { .sin6_family = (sa_family_t)family };
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(at);
	int listener = socket(family, SOCK_STREAM, 0);

	if (family == AF_INET)
		((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		at.sin6_addr = in6addr_loopback;
	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	ret[0] = socket(family, SOCK_STREAM, 0);
	assert_int_equal(connect(ret[0], (struct sockaddr *)&at, len), 0);
	ret[1] = accept(listener, NULL, NULL);
	assert_int_equal(getsockname(ret[0], (struct sockaddr *)&at, &len), 0);
	close(listener);
	return ntohs(at.sin6_port);
}

static void only_what_is_about_it_counts(void **state)
{
	static const uint8_t loopback4[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
	static const uint8_t loopback6[16] = { [15] = 1 };
	static const uint8_t other[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 2 };
	static const struct {
		int family;
		uint64_t t_ns;
		const uint8_t *local;
		uint16_t server;
		int r;
	} rows[] = {
		{ AF_INET, NOW, loopback4, 9, 0 },
		{ AF_INET6, NOW, loopback6, 9, 0 },
		{ AF_INET, NOW - ORIGINS_AGE_NS, loopback4, 9, 0 },
		{ AF_INET, NOW + 1000, loopback4, 9, 0 },
		{ AF_INET, NOW - ORIGINS_AGE_NS - 1, loopback4, 9, -ENOENT },
		{ AF_INET, 0, loopback4, 9, -ENOENT },
		{ AF_INET, NOW, other, 9, -ENOENT },
		{ AF_INET, NOW, loopback6, 9, -ENOENT },
		{ AF_INET6, NOW, loopback4, 9, -ENOENT },
		{ AF_INET, NOW, loopback4, SG_SERVERS_MAX, -ENOENT },
	};
	const size_t size = SG_ORIGINS_MAX * sizeof(struct sg_origin);
	int fd = memfd_create("origins", MFD_CLOEXEC);
	struct sg_origin *map;
	struct origins o;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(origins_open(&o, fd), 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sg_origin got = { 0 };
		int pair[2];
		uint16_t port = connect_pair(rows[i].family, pair);

		map[port] = (struct sg_origin){ .t_ns = rows[i].t_ns,
						.server = rows[i].server,
						.incarnation = 4 };
		memcpy(map[port].local, rows[i].local, 16);
		assert_int_equal(origins_find(&o, pair[1], NOW, &got), rows[i].r);
		assert_int_equal(got.server, rows[i].r ? 0 : 9);
		assert_int_equal(got.incarnation, rows[i].r ? 0 : 4);
		map[port].t_ns = 0;
		close(pair[0]);
		close(pair[1]);
	}
	munmap(map, size);
}

static void there_must_be_a_map(void **state)
{
	struct origins o;

	(void)state;
	assert_int_equal(origins_open(&o, -1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_about_it_counts),
		cmocka_unit_test(there_must_be_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
