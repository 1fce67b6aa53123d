/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever comes as statements of others: a statement that is read is written as one that is read
 * as the same and signed as the same; and whatever a file of them holds, what is taken of it
 * makes a file that is taken again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/community.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void statement_again(const struct statement *s)
{
	CLEANUP(buf_done) struct buf line = BUF(2 * STATEMENT_LINE_MAX);
	CLEANUP(buf_done) struct buf same = BUF(2 * STATEMENT_LINE_MAX);
	struct statement again;
	char why[256] = "";

	if (statement_encode(s, &line) ||
	    statement_decode(line.data, line.len, &again, why, sizeof(why)) ||
	    statement_encode(&again, &same) || strcmp(buf_str(&line), buf_str(&same)) != 0)
		abort();
	if (statement_verify(s) != statement_verify(&again))
		abort();
}

/* The same as the body of a file, under the checksum that it would have. */
static void file_again(const char *body, size_t size)
{
	CLEANUP(buf_done) struct buf file = BUF(COMMUNITY_FILE_MAX);
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);
	CLEANUP(buf_done) struct buf same = BUF(COMMUNITY_FILE_MAX);
	CLEANUP(buf_done) struct buf why = BUF(1024);
	struct community first, again;

	if (community_init(&first, 1) || community_init(&again, 1))
		abort();
	if (community_decode(&first, body, size, &why) && !why.len)
		abort(); /* nobody is told why */
	(void)community_salvage(&first, body, size);
	buf_clear(&why);
	buf_printf(&file, "{\"v\":1,\"type\":\"community\",\"checksum\":\"%016llx\"}\n",
		   (unsigned long long)fnv1a(body, size));
	buf_append(&file, body, size);
	if (community_decode(&first, buf_str(&file), file.len, &why))
		abort();
	if (community_encode(&first, &out) ||
	    community_decode(&again, buf_str(&out), out.len, &why) ||
	    community_encode(&again, &same) || out.len != same.len)
		abort();
	community_done(&first);
	community_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(community_lines_done) struct community_lines lines = { 0 };
	const char *text = (const char *)data;
	char why[256] = "";
	int r = community_lines_read(text, size, &lines, why, sizeof(why));

	if (r && !*why)
		abort();
	for (size_t i = 0; i < lines.n; i++)
		if (!lines.v[i].is_key && !r)
			statement_again(&lines.v[i].statement);
	file_again(text, size);
	return 0;
}
