/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever a server calls its list of tools: it is refused with a reason, or becomes a list that
 * is read back from our own form as the same, and that does not change when the value is written
 * in canonical form and read again. And nothing else is taken for our own form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/jsoncanon.h"
#include "codec/jsonget.h"
#include "codec/jsonpos.h"
#include "codec/tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_own_form(const struct tools *t)
{
	struct tools_answer a = { .listed = true, .tools = *t };
	CLEANUP(tools_answer_done) struct tools_answer b = { 0 };
	CLEANUP(buf_done) struct buf text = BUF(TOOLS_TEXT_MAX);
	char shown[128];

	if (tools_answer_encode(&a, &text) || tools_answer_decode(text.data, text.len, &b))
		abort();
	if (!tools_equal(t, &b.tools) || tools_diff(t, &b.tools, NULL, 0))
		abort();
	if (*tools_diff_print(t, &b.tools, shown, sizeof(shown)))
		abort();
}

/* The list of a value; false: it is none. */
static bool read_list(struct json_object *value, struct tools *ret)
{
	CLEANUP(freep) char *cursor = NULL;
	char why[TOOLS_WHY_LEN] = "";

	if (tools_add(ret, value, &cursor, why)) {
		if (!*why)
			abort(); /* nobody is told why */
		return false;
	}
	if (tools_close(ret))
		abort();
	return true;
}

static void check_canonical(struct json_object *value, const struct tools *t)
{
	CLEANUP(json_putp) struct json_object *again = NULL;
	CLEANUP(tools_done) struct tools same = { 0 };
	CLEANUP(buf_done) struct buf text = BUF(1 << 24);
	struct jsonpos_fault fault;

	if (json_canonical(value, &text))
		abort();
	if (jsonpos_parse(text.data, text.len, JSONPOS_DEPTH_MAX, &again, &fault))
		abort();
	if (!read_list(again, &same) || !tools_equal(t, &same))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(json_putp) struct json_object *value = NULL;
	CLEANUP(tools_done) struct tools t = { 0 };
	CLEANUP(tools_answer_done) struct tools_answer ours = { 0 };
	struct jsonpos_fault fault;

	if (!tools_answer_decode((const char *)data, size, &ours) && ours.listed)
		check_own_form(&ours.tools);
	if (jsonpos_parse((const char *)data, size, JSONPOS_DEPTH_MAX, &value, &fault))
		return 0;
	if (!read_list(value, &t))
		return 0;
	check_own_form(&t);
	check_canonical(value, &t);
	return 0;
}
