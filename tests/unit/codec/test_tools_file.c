/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept of tools reads back as it was, or is known to be damaged. */
#include "unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/tools_file.h"

static struct tools list(const char *text)
{
	CLEANUP(json_putp) struct json_object *value = NULL;
	struct tools t = { 0 };
	char why[TOOLS_WHY_LEN];
	char *cursor;

	assert_int_equal(json_parse(text, strlen(text), 8, &value), 0);
	assert_int_equal(tools_add(&t, value, &cursor, why), 0);
	assert_int_equal(tools_close(&t), 0);
	return t;
}

static struct tools_file example(void)
{
	struct tools_file f = { .v = calloc(2, sizeof(*f.v)), .n = 2 };

	assert_non_null(f.v);
	f.v[0] = (struct tools_entry){ .name = "a \"b\"",
				       .place = strdup("http://h/mcp"),
				       .version = "1.0",
				       .seen = list(
					       "{\"tools\":[{\"name\":\"x\"},{\"name\":\"y\"}]}"),
				       .seen_wall_ns = SECONDS(1700000000),
				       .approved = list("{\"tools\":[{\"name\":\"x\"}]}"),
				       .approved_wall_ns = SECONDS(1600000000),
				       .approved_by = "root",
				       .pulled = true };
	f.v[1] = (struct tools_entry){ .name = "none",
				       .seen = list("{\"tools\":[]}"),
				       .seen_wall_ns = SECONDS(1),
				       .approved = list("{\"tools\":[]}") };
	return f;
}

static void reads_back(void **state)
{
	CLEANUP(tools_file_done) struct tools_file f = example();
	CLEANUP(tools_file_done) struct tools_file g = { 0 };
	CLEANUP(buf_done) struct buf text = BUF(TOOLS_FILE_MAX);
	CLEANUP(buf_done) struct buf again = BUF(TOOLS_FILE_MAX);
	CLEANUP(buf_done) struct buf why = BUF(512);

	(void)state;
	assert_int_equal(tools_file_encode(&f, &text), 0);
	assert_int_equal(tools_file_decode(text.data, text.len, &g, &why), 0);
	assert_int_equal(g.n, 2);
	assert_true(tools_equal(&f.v[0].seen, &g.v[0].seen));
	assert_true(tools_equal(&f.v[0].approved, &g.v[0].approved));
	assert_false(tools_equal(&g.v[0].seen, &g.v[0].approved));
	assert_true(tools_equal(&g.v[1].seen, &g.v[1].approved));
	assert_string_equal(g.v[0].name, "a \"b\"");
	assert_string_equal(g.v[0].approved_by, "root");
	assert_true(g.v[0].pulled);
	assert_true(g.v[0].seen_wall_ns == SECONDS(1700000000));
	assert_null(g.v[1].place);
	assert_int_equal(tools_file_encode(&g, &again), 0);
	assert_string_equal(buf_str(&text), buf_str(&again));
}

/* Every byte of it is covered: by the checksum, or it is that. */
static void damage_is_noticed(void **state)
{
	CLEANUP(tools_file_done) struct tools_file f = example();
	CLEANUP(buf_done) struct buf text = BUF(TOOLS_FILE_MAX);

	(void)state;
	assert_int_equal(tools_file_encode(&f, &text), 0);
	for (size_t i = 0; i < text.len; i++) {
		CLEANUP(buf_done) struct buf why = BUF(512);
		struct tools_file g;

		assert_int_equal(tools_file_decode(text.data, i, &g, &why), -EBADMSG);
		assert_true(why.len > 0);
		buf_clear(&why);
		text.data[i] ^= 1;
		if (!tools_file_decode(text.data, text.len, &g, &why))
			fail_msg("byte %zu", i);
		assert_int_equal(g.n, 0);
		text.data[i] ^= 1;
	}
}

static void of_another_version(void **state)
{
	static const char later[] = "{\"version\":9}";
	CLEANUP(buf_done) struct buf why = BUF(512);
	struct tools_file g;

	(void)state;
	assert_int_equal(tools_file_decode(later, sizeof(later) - 1, &g, &why), -EPROTONOSUPPORT);
	assert_non_null(strstr(buf_str(&why), "version 9"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(of_another_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
