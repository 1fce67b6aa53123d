/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever a scanner's file holds, the records made of it are written as ones that are read back
 * as the same. The first byte chooses the format.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/findings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct findings *f, struct buf *out)
{
	for (size_t i = 0; i < f->n; i++)
		if (finding_encode(&f->v[i], out))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct findings_options o = { .file = "denied/inbound_a_inbound_"
					      "12345678-1234-1234-1234-123456789012",
				      .server = "fuzzed" };
	CLEANUP(findings_done) struct findings first = {};
	CLEANUP(findings_done) struct findings again = {};
	CLEANUP(buf_done) struct buf errors = BUF(1 << 22);
	CLEANUP(buf_done) struct buf out = BUF(1 << 26);
	CLEANUP(buf_done) struct buf same = BUF(1 << 26);

	if (!size)
		return 0;
	o.format = data[0] % FINDINGS_FORMAT_COUNT;
	if (findings_read((const char *)data + 1, size - 1, &o, &first, &errors)) {
		if (!errors.len)
			abort(); /* nobody is told why */
		return 0;
	}
	if (!first.n)
		return 0;
	encode(&first, &out);
	o.format = FINDINGS_NATIVE;
	o.server = NULL;
	if (findings_read(out.data, out.len, &o, &again, &errors))
		abort();
	encode(&again, &same);
	if (strcmp(buf_str(&out), buf_str(&same)) != 0)
		abort();
	return 0;
}
