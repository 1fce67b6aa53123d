/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every reader of messages gets the same text: it refuses it, or what it read is
 * written to something that it reads as the same again. The first byte chooses the
 * verb of a request.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_status(const char *text, size_t len)
{
	CLEANUP(buf_done) struct buf first = {};
	CLEANUP(buf_done) struct buf second = {};
	struct status s;

	first = BUF(64 << 20);
	second = BUF(64 << 20);
	if (status_decode(text, len, &s) < 0)
		return;
	must(status_encode(&s, URL_MASKED, &first) == 0);
	status_done(&s);
	if (first.len > REPLY_SIZE_MAX)
		return;
	must(status_decode(buf_str(&first), first.len, &s) == 0);
	must(status_encode(&s, URL_MASKED, &second) == 0);
	status_done(&s);
	/* a time is written in ms: the second writing is the fixed point */
	must(first.len == second.len);
}

static void check_event(const char *text, size_t len)
{
	CLEANUP(buf_done) struct buf first = {};
	struct event e;

	first = BUF(1 << 16);
	if (event_decode(text, len, &e) < 0)
		return;
	must(e.type < EVENT_TYPE_COUNT && e.outcome < SG_CLASS_COUNT && e.to < SG_STATE_COUNT);
	must(event_encode(&e, URL_MASKED, &first) == 0);
	must(event_decode(buf_str(&first), first.len, &e) == 0);
}

static void check_request(enum request_verb verb, const char *text, size_t len)
{
	CLEANUP(buf_done) struct buf first = {};
	struct request q, again;
	char why[256] = "";
	int r = request_decode(verb, text, len, &q, why, sizeof(why));

	if (r < 0) {
		must(r == -EINVAL && *why);
		return;
	}
	first = BUF(1 << 16);
	must(request_encode(&q, &first) == 0);
	must(request_decode(verb, buf_str(&first), first.len, &again, why, sizeof(why)) == 0);
	must(again.to == q.to && !strcmp(again.reason, q.reason));
	must((again.for_ns == SG_FOREVER) == (q.for_ns == SG_FOREVER));
}

static void check_replies(const char *text, size_t len)
{
	struct reply_error error;
	struct reply_kill kill;
	struct reply_selftest test;
	struct reply_state force;
	struct status_server server;

	if (reply_error_decode(text, len, &error) == 0)
		must(strlen(error.message) < sizeof(error.message));
	if (reply_kill_decode(text, len, &kill) == 0)
		must(strlen(kill.server) < sizeof(kill.server) &&
		     strlen(kill.error) < sizeof(kill.error));
	if (reply_selftest_decode(text, len, &test) == 0)
		must(strlen(test.detail) < sizeof(test.detail));
	if (reply_state_decode(text, len, &force) == 0)
		must(force.state < SG_STATE_COUNT);
	if (status_server_decode(text, len, &server) == 0)
		status_server_done(&server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (!size)
		return 0;
	check_request((enum request_verb)(data[0] % REQUEST_COUNT), text + 1, size - 1);
	check_status(text + 1, size - 1);
	check_event(text + 1, size - 1);
	check_replies(text + 1, size - 1);
	return 0;
}
