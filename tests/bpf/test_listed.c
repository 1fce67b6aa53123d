/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The map `listed` follows ep2srv: it has exactly the addresses that have an
 * endpoint, each with the id of a server that has one there.
 */
#include "bpf/rig.h"

#define A RIG_SERVER
#define B (RIG_SERVER + 1)
#define C (RIG_SERVER + 2)
#define NOBODY SG_SERVERS_MAX

static struct dataplane *dp;

static int setup(void **state)
{
	(void)state;
	dp = rig_bare();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dataplane_close(dp);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	for (uint32_t id = A; id <= C; id++)
		assert_int_equal(dataplane_endpoints_set(dp, id, NULL, NULL, 0), 0);
	return 0;
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(text, &a), 0);
	return a;
}

/* One endpoint after another, "ADDRESS" and port, NULL at the end. */
struct at {
	const char *addr;
	uint16_t port;
};

static int set(uint32_t id, const struct at *at)
{
	struct addr addrs[8];
	uint16_t ports[8];
	size_t n = 0;

	for (; at[n].addr; n++) {
		addrs[n] = addr_of(at[n].addr);
		ports[n] = at[n].port;
	}
	return dataplane_endpoints_set(dp, id, addrs, ports, n);
}

#define SET(id, ...) \
	assert_int_equal(set(id, (const struct at[]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, 0 } }), 0)

static uint32_t owner(const char *text, uint64_t netns)
{
	struct addr a = addr_of(text);
	struct sg_local key = { .netns = netns };
	uint32_t at;

	memcpy(key.addr, a.bytes, sizeof(key.addr));
	return bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.listed), &key, &at) ? NOBODY
										  : SG_AT_ID(at);
}

static size_t count(const struct bpf_map *map, void *keys, size_t key_size)
{
	const void *at = NULL;
	size_t n = 0;

	for (char *next = keys; !bpf_map_get_next_key(bpf_map__fd(map), at, next); n++) {
		at = next;
		next += key_size;
	}
	return n;
}

static size_t listed_count(void)
{
	struct sg_local keys[64];

	return count(dp->skel->maps.listed, keys, sizeof(keys[0]));
}

static void test_an_address_is_listed_once(void **state)
{
	(void)state;
	SET(A, { "192.0.2.1", 80 }, { "192.0.2.1", 81 }, { "2001:db8::1", 80 });
	assert_int_equal(listed_count(), 2);
	assert_int_equal(owner("192.0.2.1", 0), A);
	assert_int_equal(owner("2001:db8::1", 0), A);
	assert_int_equal(owner("192.0.2.2", 0), NOBODY);
	SET(A, { "192.0.2.1", 81 }); /* the other port is enough */
	assert_int_equal(listed_count(), 1);
	assert_int_equal(owner("192.0.2.1", 0), A);
	SET(A, { "192.0.2.1", 82 }); /* another one, too */
	assert_int_equal(owner("192.0.2.1", 0), A);
	SET(A);
	assert_int_equal(listed_count(), 0);
}

static void test_it_stays_while_another_server_is_there(void **state)
{
	(void)state;
	SET(A, { "192.0.2.1", 80 }, { "192.0.2.5", 80 });
	SET(B, { "192.0.2.1", 81 });
	SET(C, { "192.0.2.1", 82 });
	SET(A, { "192.0.2.5", 80 });
	assert_true(owner("192.0.2.1", 0) == B || owner("192.0.2.1", 0) == C);
	SET(C);
	assert_int_equal(owner("192.0.2.1", 0), B);
	SET(A, { "192.0.2.5", 80 }, { "192.0.2.1", 90 });
	SET(A);
	assert_int_equal(owner("192.0.2.1", 0), B);
	assert_int_equal(listed_count(), 1);
	assert_int_equal(dataplane_server_forget(dp, B), 0);
	assert_int_equal(listed_count(), 0);
}

/* One endpoint of two servers is the latter's. */
static void test_an_endpoint_changes_hands(void **state)
{
	(void)state;
	SET(A, { "192.0.2.1", 80 });
	SET(B, { "192.0.2.1", 80 });
	assert_int_equal(owner("192.0.2.1", 0), B);
	SET(A);
	assert_int_equal(owner("192.0.2.1", 0), B);
}

static void test_local_addresses(void **state)
{
	struct addr own = addr_of("203.0.113.5");
	struct addr loop = addr_of("127.0.0.1");

	(void)state;
	SET(A, { "::1", 80 });
	SET(B, { "127.0.0.1", 81 });
	assert_int_equal(listed_count(), 3); /* and what stands for own addresses */
	assert_int_equal(dp->cfg->aliases, 4);
	assert_int_equal(owner("127.0.0.1", dp->home_netns), B);
	assert_int_equal(owner("::1", dp->home_netns), A);
	assert_int_equal(dataplane_locals_set(dp, &own, 1), 0);
	SET(A, { "203.0.113.5", 80 }); /* as it is, and by the loopback's */
	assert_int_equal(owner("203.0.113.5", 0), A);
	assert_int_equal(owner("203.0.113.5", dp->home_netns), A);
	SET(B);
	assert_int_equal(dataplane_server_at(dp, loop.bytes, 80, true), A);
	assert_int_equal(dataplane_server_at(dp, loop.bytes, 80, false), NOBODY);
	assert_int_equal(dataplane_locals_set(dp, NULL, 0), 0);
	SET(A, { "203.0.113.5", 80 });
	assert_int_equal(dataplane_server_at(dp, loop.bytes, 80, true), NOBODY);
	assert_int_equal(listed_count(), 1);
	assert_int_equal(dp->cfg->aliases, 0);
}

/* Who has an address and port: SG_AT, as agents of this host ask for it. */
static uint32_t at(const char *text, uint16_t port, uint64_t netns)
{
	struct addr a = addr_of(text);
	struct sg_ep ep = { .netns = netns, .port = htons(port), .proto = IPPROTO_TCP };
	uint32_t found;

	memcpy(ep.addr, a.bytes, sizeof(ep.addr));
	return bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.ep2srv), &ep, &found) ? ~0U : found;
}

/* An alias is whose it was first, and never stands in front of an endpoint. */
static void test_aliases(void **state)
{
	struct addr own = addr_of("203.0.113.5");
	struct addr second = addr_of("127.0.0.2");
	struct addr other = addr_of("127.0.0.3");
	uint64_t home = dp->home_netns;

	(void)state;
	assert_int_equal(dataplane_locals_set(dp, &own, 1), 0);
	SET(A, { "127.0.0.1", 80 });
	SET(B, { "127.0.0.2", 80 });
	assert_int_equal(SG_AT_ID(at("::", 80, home)), A);
	assert_true(SG_AT_ALIAS(at("::", 80, home)));
	assert_false(SG_AT_ALIAS(at("127.0.0.1", 80, home)));
	assert_false(dataplane_endpoints_left(dp, A));
	assert_true(dataplane_endpoints_left(dp, B));
	assert_int_equal(dataplane_server_at(dp, own.bytes, 80, true), A);
	assert_int_equal(dataplane_server_at(dp, own.bytes, 80, false), A); /* a container */
	assert_int_equal(dataplane_server_at(dp, own.bytes, 81, true), NOBODY);
	assert_int_equal(dataplane_server_at(dp, second.bytes, 80, true), B);
	assert_int_equal(dataplane_server_at(dp, other.bytes, 80, true), A);
	assert_int_equal(dataplane_server_at(dp, other.bytes, 81, true), NOBODY);
	assert_int_equal(dataplane_server_at(dp, other.bytes, 80, false), NOBODY); /* its own */
	SET(C, { "203.0.113.5", 80 }); /* an endpoint of its own */
	assert_int_equal(dataplane_server_at(dp, own.bytes, 80, true), C);
	assert_int_equal(dataplane_server_at(dp, own.bytes, 80, false), C);
	assert_int_equal(SG_AT_ID(at("127.0.0.1", 80, home)), A);
	SET(C);
	SET(A);
	SET(B, { "127.0.0.2", 80 }); /* tried again when the owner left */
	assert_int_equal(dataplane_server_at(dp, own.bytes, 80, true), B);
	assert_false(dataplane_endpoints_left(dp, B));
	assert_int_equal(dataplane_locals_set(dp, NULL, 0), 0);
}

/* An address keeps its slot while others come and go; the last one is for all beyond eight. */
static void test_slots(void **state)
{
	static const char *const more[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4",
					    "10.0.0.5", "10.0.0.6", "10.0.0.7" };
	struct addr addrs[10];
	uint16_t ports[10];

	(void)state;
	SET(A, { "192.0.2.1", 80 }, { "192.0.2.2", 80 }, { "192.0.2.3", 80 });
	assert_int_equal(SG_AT_SLOT(at("192.0.2.3", 80, 0)), 2);
	SET(A, { "192.0.2.3", 80 }, { "192.0.2.4", 80 });
	assert_int_equal(SG_AT_SLOT(at("192.0.2.3", 80, 0)), 2);
	assert_int_equal(SG_AT_SLOT(at("192.0.2.4", 80, 0)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		addrs[i] = addr_of(more[i]);
	addrs[7] = addr_of("192.0.2.3");
	addrs[8] = addr_of("192.0.2.8");
	addrs[9] = addr_of("192.0.2.9");
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		ports[i] = 80;
	assert_int_equal(dataplane_endpoints_set(dp, A, addrs, ports, ARRAY_SIZE(ports)), 0);
	assert_int_equal(SG_AT_SLOT(at("192.0.2.3", 80, 0)), 2);
	assert_int_equal(SG_AT_SLOT(at("10.0.0.7", 80, 0)), 7);
	assert_int_equal(SG_AT_SLOT(at("192.0.2.8", 80, 0)), 7);
	assert_int_equal(SG_AT_SLOT(at("192.0.2.9", 80, 0)), 7);
}

/* What an earlier holder of the id left is nobody's. */
static void test_incarnations(void **state)
{
	uint32_t before;

	(void)state;
	SET(A, { "192.0.2.1", 80 });
	before = SG_AT_INCARNATION(at("192.0.2.1", 80, 0));
	assert_int_equal(dataplane_server_forget(dp, A), 0);
	assert_int_equal(at("192.0.2.1", 80, 0), ~0U);
	SET(A, { "192.0.2.1", 80 });
	assert_int_equal(SG_AT_INCARNATION(at("192.0.2.1", 80, 0)), before + 1);
}

/* Does `listed` have exactly what ep2srv has? */
static void expect_equal_to_ep2srv(void)
{
	struct sg_ep eps[256];
	struct sg_local listed[64];
	size_t n_eps = count(dp->skel->maps.ep2srv, eps, sizeof(eps[0]));
	size_t n_listed = count(dp->skel->maps.listed, listed, sizeof(listed[0]));

	for (size_t i = 0; i < n_listed; i++) {
		uint32_t id, other;
		bool found = false;

		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.listed), &listed[i],
						     &id),
				 0);
		for (size_t k = 0; k < n_eps; k++) {
			if (memcmp(&eps[k], &listed[i], sizeof(listed[i])))
				continue;
			assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.ep2srv),
							     &eps[k], &other),
					 0);
			found |= other == id;
		}
		assert_true(found);
	}
	for (size_t k = 0; k < n_eps; k++) {
		bool found = false;

		for (size_t i = 0; i < n_listed; i++)
			found |= !memcmp(&eps[k], &listed[i], sizeof(listed[i]));
		assert_true(found);
	}
}

static void test_random_changes(void **state)
{
	static const char *const addrs[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1",
					     "127.0.0.1", "::1",       "10.0.0.1" };
	unsigned int seed = 1;

	(void)state;
	for (int step = 0; step < 400; step++) {
		uint32_t id = A + (uint32_t)rand_r(&seed) % 3;
		struct at at[6] = { 0 };
		int n = rand_r(&seed) % 6;

		for (int i = 0; i < n; i++)
			at[i] = (struct at){ addrs[(size_t)rand_r(&seed) % ARRAY_SIZE(addrs)],
					     (uint16_t)(80 + rand_r(&seed) % 3) };
		assert_int_equal(set(id, at), 0);
		expect_equal_to_ep2srv();
	}
}

/* A full map is said; what fitted is in force. */
static void test_full(void **state)
{
	int fd = bpf_map__fd(dp->skel->maps.listed);
	uint32_t max = bpf_map__max_entries(dp->skel->maps.listed);
	struct sg_local key = { .netns = 1 };
	uint32_t id = C;

	(void)state;
	for (uint32_t i = 0; i < max - 1; i++) {
		memcpy(key.addr, &i, sizeof(i));
		assert_int_equal(bpf_map_update_elem(fd, &key, &id, BPF_NOEXIST), 0);
	}
	assert_int_equal(
		set(A,
		    (const struct at[]){ { "192.0.2.1", 80 }, { "192.0.2.2", 80 }, { NULL, 0 } }),
		-E2BIG);
	assert_int_equal(owner("192.0.2.1", 0), A);
	assert_int_equal(owner("192.0.2.2", 0), NOBODY);
	for (uint32_t i = 0; i < max - 1; i++) {
		memcpy(key.addr, &i, sizeof(i));
		assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
	}
	SET(A, { "192.0.2.1", 80 }, { "192.0.2.2", 80 });
	assert_int_equal(owner("192.0.2.2", 0), A);
}

/* It has as many entries as ep2srv, of which it can be asked to have each. */
static void test_size(void **state)
{
	struct dataplane *other = NULL;
	const struct dataplane_options o = { .pin_dir = rig_pins(),
					     .cgroup = rig_cgroup(),
					     .endpoints_max = 32 };

	(void)state;
	assert_int_equal(dataplane_open(&o, &other), 0);
	assert_int_equal(bpf_map__max_entries(other->skel->maps.ep2srv), 32);
	assert_int_equal(bpf_map__max_entries(other->skel->maps.listed), 32);
	assert_int_equal(dataplane_detach(other, &(struct detach_result){ 0 }), 0);
	dataplane_close(other);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_address_is_listed_once, empty),
		cmocka_unit_test_setup(test_it_stays_while_another_server_is_there, empty),
		cmocka_unit_test_setup(test_an_endpoint_changes_hands, empty),
		cmocka_unit_test_setup(test_local_addresses, empty),
		cmocka_unit_test_setup(test_aliases, empty),
		cmocka_unit_test_setup(test_slots, empty),
		cmocka_unit_test_setup(test_incarnations, empty),
		cmocka_unit_test_setup(test_random_changes, empty),
		cmocka_unit_test_setup(test_full, empty),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
