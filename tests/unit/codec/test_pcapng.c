/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Blocks, as the format has them; that tshark reads them is tried in tests/e2e. */
#include <string.h>

#include "codec/pcapng.h"
#include "unit/unit.h"

static uint32_t at(const struct buf *b, size_t offset)
{
	uint32_t v;

	assert_true(offset + sizeof(v) <= b->len);
	memcpy(&v, b->data + offset, sizeof(v));
	return v;
}

/* Walks the blocks: each says its length at both ends, in words. */
static size_t blocks(const struct buf *b, uint32_t *types, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; n++) {
		uint32_t len = at(b, i + 4);

		assert_true(n < max && len >= 12 && !(len % 4) && i + len <= b->len);
		assert_int_equal(at(b, i + len - 4), len);
		types[n] = at(b, i);
		i += len;
	}
	return n;
}

static void test_header(void **state)
{
	struct buf b = BUF(4096);
	uint32_t types[4];

	(void)state;
	pcapng_begin(&b, "switchgear", "refused", 256);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(blocks(&b, types, 4), 2);
	assert_int_equal(types[0], 0x0a0d0d0a);
	assert_int_equal(at(&b, 8), 0x1a2b3c4d);
	assert_int_equal(types[1], 1);
	assert_int_equal(at(&b, at(&b, 4) + 8) & 0xffff, 101);
	assert_int_equal(at(&b, at(&b, 4) + 12), 256);
	buf_done(&b);
}

static void test_packets_of_every_length(void **state)
{
	uint8_t data[256];

	(void)state;
	memset(data, 'x', sizeof(data));
	for (uint32_t have = 0; have <= sizeof(data); have++) {
		const struct pcapng_packet p = { .wall_ns = 0x100000002,
						 .data = data,
						 .have = have,
						 .len = have + 7,
						 .out = true,
						 .comment = have % 2 ? "why" : "" };
		struct buf b = BUF(PCAPNG_BLOCK_MAX);
		uint32_t types[2];

		pcapng_packet(&b, &p);
		assert_int_equal(buf_error(&b), 0);
		assert_int_equal(blocks(&b, types, 2), 1);
		assert_int_equal(types[0], 6);
		assert_int_equal(at(&b, 12), 1); /* time: high, low */
		assert_int_equal(at(&b, 16), 2);
		assert_int_equal(at(&b, 20), have);
		assert_int_equal(at(&b, 24), have + 7);
		assert_memory_equal(b.data + 28, data, have);
		/* the comment is behind it, in words */
		assert_int_equal(at(&b, 28 + (have + 3) / 4 * 4), 1 | (have % 2 ? 3 : 0) << 16);
		buf_done(&b);
	}
}

static void test_what_is_missing(void **state)
{
	struct buf b = BUF(4096);
	uint32_t types[2];

	(void)state;
	pcapng_lost(&b, 5, 12);
	assert_int_equal(blocks(&b, types, 2), 1);
	assert_int_equal(types[0], 5);
	assert_int_equal(at(&b, 20), 5 | 8 << 16); /* isb_ifdrop, of eight bytes */
	assert_int_equal(at(&b, 24), 12);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_packets_of_every_length),
		cmocka_unit_test(test_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
