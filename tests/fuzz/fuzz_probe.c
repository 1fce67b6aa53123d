/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever a server answers to a probe ends in a class, in few turns, within the
 * limits; success needs status 200; how the bytes were cut changes nothing; what a
 * server made us repeat cannot break a request; asked for its tools it comes to a list, or to why
 * there is none. Input: one byte (era, size of the pieces, whether tools are asked for), then
 * answers, with a 0x1e between them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/probe.h"

#define TURNS_MAX 8
#define LISTS 0x40
#define BETWEEN 0x1e

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_result(const struct probe_result *r)
{
	if (r->class >= SG_CLASS_COUNT || r->cause >= SG_CAUSE_COUNT)
		abort();
	if (r->class == SG_SUCCESS && (r->status != 200 || !r->complete))
		abort();
	if (r->retry_after_ns > SG_RETRY_AFTER_MAX_NS || (r->retry_after_ns && r->class != SG_SOFT))
		abort();
}

/* Of the header: lines, each with a colon, and one empty line. */
static void check_request(const struct buf *request)
{
	const char *line = strstr(buf_str(request), "\r\n");
	const char *end = strstr(buf_str(request), "\r\n\r\n");

	if (!line || !end)
		abort();
	for (; line < end; line = strstr(line + 2, "\r\n"))
		if (strcspn(line + 2, ":") >= strcspn(line + 2, "\r\n"))
			abort();
	if (end[4] && end[4] != '{')
		abort();
}

/* Plays the answers; returns how many turns there were. */
static size_t play(struct probe_session *t, enum probe_generation era, const uint8_t *data,
		   size_t size, size_t piece, bool lists)
{
	static const struct probe_target target = { "h:1", "/mcp", "1" };
	size_t turns = 0;

	if (probe_session_init(t, &target, era))
		abort();
	if (lists)
		probe_session_list(t);
	while (t->step != PROBE_OVER) {
		CLEANUP(buf_done) struct buf request = {};
		const uint8_t *stop = size ? memchr(data, BETWEEN, size) : NULL;
		size_t len = stop ? (size_t)(stop - data) : size;
		bool over = false;

		request = BUF(PROBE_REQUEST_MAX);
		if (probe_session_request(t, &request) ||
		    ++turns > TURNS_MAX + (lists ? TOOLS_PAGES_MAX : 0))
			abort();
		check_request(&request);
		for (size_t i = 0; i < len && !over; i += piece)
			over = probe_session_feed(t, (const char *)data + i,
						  len - i < piece ? len - i : piece);
		if (!over && !probe_session_eof(t))
			abort();
		size -= stop ? len + 1 : len;
		data += stop ? len + 1 : len;
	}
	if (!t->judged)
		abort();
	check_result(&t->result);
	if (lists && t->list.listed == (*t->list.why != 0))
		abort();
	return turns;
}

static bool same(const struct probe_result *a, const struct probe_result *b)
{
	return a->class == b->class && a->cause == b->cause && a->status == b->status &&
	       a->complete == b->complete && a->retry_after_ns == b->retry_after_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct probe_session whole, torn;
	enum probe_generation era;
	bool lists;

	if (!size)
		return 0;
	lists = data[0] & LISTS;
	era = (enum probe_generation)(data[0] % PROBE_GENERATION_COUNT);
	if (play(&whole, era, data + 1, size - 1, SIZE_MAX / 2, lists) !=
	    play(&torn, era, data + 1, size - 1, 1 + data[0] / 16, lists))
		abort();
	if (!same(&whole.result, &torn.result) || strcmp(whole.session, torn.session) ||
	    strcmp(whole.protocol, torn.protocol) || strcmp(whole.list.why, torn.list.why) ||
	    (whole.list.listed && !tools_equal(&whole.list.tools, &torn.list.tools)))
		abort();
	probe_session_done(&whole);
	probe_session_done(&torn);
	return 0;
}
