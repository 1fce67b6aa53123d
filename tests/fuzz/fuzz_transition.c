/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The transition with the engine beside it, under events that coverage guides,
 * with every check of the property test: a violation ends the program.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/core/breaker_play.c"
#include "../unit/core/breaker_ref.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sg_breaker after[2][REF_OUTCOMES / 2];
	struct play_trace first = { after[0], REF_OUTCOMES / 2, 0 };
	struct play_trace second = { after[1], REF_OUTCOMES / 2, 0 };
	struct play_count count = { 0 };

	play(data, size, "this input", &first, &count);
	play(data, size, "this input, again", &second, &count);
	if (first.n != second.n || memcmp(after[0], after[1], first.n * sizeof(after[0][0])))
		abort();
	return 0;
}
