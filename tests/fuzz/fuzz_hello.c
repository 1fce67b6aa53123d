/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * However a connection begins: in what pieces it came changes nothing of whom it names, and a name
 * ends with zeros. Input: one byte (size of the pieces), then what the client sends.
 */
#include <stdlib.h>

#include "unit/headers/hello_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sg_hello whole;
	struct sg_hello torn;

	if (size < 2)
		return 0;
	hello_feed(&whole, data + 1, size - 1, size);
	hello_feed(&torn, data + 1, size - 1, 1 + data[0] % 64);
	if (whole.stage != torn.stage)
		abort();
	if (whole.stage == SG_HELLO_OVER &&
	    (memcmp(&whole.key, &torn.key, sizeof(whole.key)) || whole.key.text[SG_TARGET_LEN - 1]))
		abort();
	return 0;
}
