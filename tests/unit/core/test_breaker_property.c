/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random sequences of events, under random policies, against the invariants
 * and the reference of breaker_play.h. SG_SEED and SG_SEQUENCES repeat a run;
 * what is broken is printed with both.
 */
#include "breaker_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit/unit.h"

#if defined(__SANITIZE_ADDRESS__)
#define SEQUENCES 400000ULL
#else
#define SEQUENCES 1000000ULL
#endif
#define BYTES_MAX 2048
#define EVENTS_MAX 512

/* Marsaglia: Xorshift RNGs (2003), with the multiplier of xorshift64*. */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* The bytes of sequence `number`: mostly short, for another policy each; some long. */
static size_t sequence(uint64_t seed, uint64_t number, uint8_t *bytes)
{
	uint64_t state = (seed ^ number * UINT64_C(0x9e3779b97f4a7c15)) | 1;
	size_t size = number % 64 ? 24 + next(&state) % 32 : BYTES_MAX;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = next(&state);

		memcpy(bytes + i, &word, 8);
	}
	return size;
}

static void test_sequences(void **unused)
{
	static struct sg_breaker after[2][EVENTS_MAX];
	static uint8_t bytes[BYTES_MAX + 8];
	uint64_t seed = setting("SG_SEED", (uint64_t)time(NULL));
	uint64_t sequences = setting("SG_SEQUENCES", SEQUENCES);
	struct play_count count = { 0 };
	char name[80];

	(void)unused;
	print_message("SG_SEED=%llu SG_SEQUENCES=%llu\n", (unsigned long long)seed,
		      (unsigned long long)sequences);
	for (uint64_t i = 0; i < sequences; i++) {
		struct play_trace first = { after[0], EVENTS_MAX, 0 };
		struct play_trace second = { after[1], EVENTS_MAX, 0 };
		size_t size = sequence(seed, i, bytes);

		if (i % 1024 == 0)
			snprintf(name, sizeof(name), "SG_SEED=%llu, sequence %llu and 1023 more",
				 (unsigned long long)seed, (unsigned long long)i);
		play(bytes, size, name, i % 16 ? NULL : &first, &count);
		if (i % 16)
			continue;
		play(bytes, size, name, &second, &count); /* same input, same output */
		assert_int_equal(first.n, second.n);
		assert_memory_equal(after[0], after[1], first.n * sizeof(after[0][0]));
	}
	print_message("%llu events, %llu stale outcomes, %llu refused\n",
		      (unsigned long long)count.events, (unsigned long long)count.stale,
		      (unsigned long long)count.denied);
	for (int reason = SG_REASON_CONSECUTIVE; reason < SG_REASON_RESTART; reason++)
		if (sequences >= 10000 && count.moves[reason] < 100)
			fail_msg("reason %d came %llu times only", reason,
				 (unsigned long long)count.moves[reason]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sequences) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
