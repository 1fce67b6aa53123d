/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers over real sockets: what each status, framing and content type means,
 * wherever the answer is torn, and what follows on the same connection.
 */
#include "bpf/one.h"

#include <time.h>

#define POST "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
#define GET "GET /mcp HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
#define NOT_FOUND(type) "HTTP/1.1 404 x\r\nContent-Type: " type "\r\nContent-Length: 2\r\n\r\nno"
#define INTERIM                                                      \
	"HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\nLink: </x>\r\n\r\n" \
	"HTTP/1.1 100 x\r\n\r\n"
#define JSON "Content-Type: application/json\r\n"
#define SSE "content-type: text/event-stream; charset=utf-8\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
#define OK_JSON OK JSON "Content-Length: 2\r\n\r\n{}"
#define BUSY "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"

/* --- one answer --------------------------------------------------------------------- */

#define ANSWERED .class = SG_SUCCESS, .cause = SG_CAUSE_ANSWER
#define HARD .class = SG_HARD, .cause = SG_CAUSE_STATUS
#define SOFT .class = SG_SOFT, .cause = SG_CAUSE_LIMITED
#define CALLER .class = SG_CALLER, .cause = SG_CAUSE_STATUS
#define BAD .class = SG_HARD, .cause = SG_CAUSE_BAD_RESPONSE
#define NO_ROUTE .class = SG_HARD, .cause = SG_CAUSE_NO_ROUTE
#define PROXY .class = SG_CALLER, .cause = SG_CAUSE_PROXY
#define CONNECT_TO "CONNECT mcp.example:443 HTTP/1.1\r\nHost: mcp.example:443\r\n\r\n"
#define STATUS(n) "HTTP/1.1 " #n " Any Reason\r\nContent-Length: 3\r\n\r\nabc"

static const struct answer {
	const char *ask;
	const char *say;
	enum sg_class class;
	enum sg_cause cause;
	unsigned int status;
	unsigned int retry_s;
	unsigned int interims;
	bool uncounted;
	bool close; /* the server closes behind it */
} answers[] = {
	{ POST, OK_JSON, ANSWERED, 200 },
	{ POST, OK SSE "Content-Length: 9\r\n\r\ndata: {}\n", ANSWERED, 200 },
	{ POST, OK "CONTENT-LENGTH:2 \r\nCONTENT-TYPE:\tAPPLICATION/JSON\r\n\r\n{}", ANSWERED,
	  200 },
	{ POST, "HTTP/1.0 200 OK\nContent-Length: 2\n\n{}", ANSWERED, 200 },
	{ POST, "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", ANSWERED, 200 },
	{ POST, OK JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ANSWERED, 200 },
	{ POST, OK SSE "transfer-encoding: gzip, Chunked\r\n\r\n9;x=y\r\ndata: {}\n\r\n0\r\n\r\n",
	  ANSWERED, 200 },
	{ POST, OK "Content-Length: 99\r\n" CHUNKED "2\r\n{}\r\n0\r\n\r\n", ANSWERED, 200 },
	{ POST, OK CHUNKED "2\r\n{}\r\n0000\r\n\r\n", ANSWERED, 200 },
	/* nothing, in chunks or to the end: as with a length of 0 there is no answer in it */
	{ POST, OK CHUNKED "0\r\n\r\n", CALLER, 200 },
	{ POST, OK JSON CHUNKED "0000\r\nX: y\r\n\r\n", CALLER, 200 },
	{ POST, OK "Content-Type: text/plain\r\n" CHUNKED "0\r\n\r\n", CALLER, 200 },
	{ POST, OK "Content-Type: text/plain\r\n\r\n", CALLER, 200, .close = true },
	{ POST, OK "Content-Type: text/plain\r\n" CHUNKED "2\r\nno\r\n0\r\n\r\n", BAD, 200 },
	{ POST, OK "Content-Type: text/plain\r\n\r\nno", BAD, 200, .close = true },
	{ POST, OK JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n", ANSWERED,
	  200 },
	{ POST, OK JSON CHUNKED "7\r\n\r\n0\r\n\r\n\r\n00;z\r\nA: b\r\nC: d\r\n\r\n", ANSWERED,
	  200 },
	{ POST, OK JSON CHUNKED "1a\n01234567890123456789012345\n0\n\n", ANSWERED, 200 },
	{ POST, OK JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", ANSWERED, 200 },
	{ POST, OK JSON "Content-Length: 2, 2, 02\r\n\r\n{}", ANSWERED, 200 },
	{ POST, OK JSON "\r\n{\"until\":\"the end\"}", ANSWERED, 200, .close = true },
	{ POST, OK JSON "Connection: close\r\n\r\n", CALLER, 200, .close = true },
	{ POST, "HTTP/1.1 100 Continue\r\n\r\n" OK_JSON, ANSWERED, 200, .interims = 1 },
	{ POST, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 7\r\n\r\n" OK_JSON,
	  ANSWERED, 200, .interims = 1 },
	{ POST, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" BUSY, HARD, 503,
	  .interims = 2 },
	{ POST, STATUS(201), ANSWERED, 201 },
	/* what takes note of a notification: of whatever type, it has no body */
	{ POST, INTERIM INTERIM INTERIM INTERIM OK_JSON, ANSWERED, 200, .interims = 12 },
	{ POST, "HTTP/1.1 204 No Content\r\n\r\n", CALLER, 204 },
	{ POST, "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", CALLER, 204 },
	{ POST, "HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n", CALLER, 201 },
	{ POST, OK "Content-Length: 0\r\n\r\n", CALLER, 200 },
	{ POST, OK JSON "Content-Length: 0\r\n\r\n", CALLER, 200 },
	{ POST, OK "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n", CALLER, 200 },
	{ POST, "HTTP/1.1 202 x\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", CALLER,
	  202 },
	{ POST, STATUS(202), CALLER, 202 },
	{ POST, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", CALLER, 202 },
	{ POST, STATUS(301), CALLER, 301 },
	{ POST, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", CALLER, 304 },
	{ POST, STATUS(307), CALLER, 307 },
	{ POST, STATUS(400), CALLER, 400 },
	{ POST, STATUS(401), CALLER, 401 },
	{ POST, STATUS(404), CALLER, 404 },
	{ POST, STATUS(428), CALLER, 428 },
	{ POST, STATUS(429), SOFT, 429 },
	{ POST, "HTTP/1.1 429 Slow down\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", SOFT, 429,
	  17 },
	{ POST, STATUS(499), CALLER, 499 },
	{ POST, STATUS(500), HARD, 500 },
	{ POST, STATUS(501), CALLER, 501 },
	{ POST, STATUS(502), HARD, 502 },
	{ POST, BUSY, HARD, 503 },
	{ POST, "HTTP/1.1 503 Later\r\nretry-after:  120 \r\nContent-Length: 0\r\n\r\n", SOFT, 503,
	  120 },
	{ POST,
	  "HTTP/1.1 503 Later\r\nRetry-After: Sun Nov  6 08:49:37 1994\r\n"
	  "Content-Length: 0\r\n\r\n",
	  SOFT, 503 },
	{ POST, "HTTP/1.1 500 x\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", HARD, 500, 5 },
	{ POST, STATUS(504), HARD, 504 },
	{ POST, STATUS(505), CALLER, 505 },
	{ POST, STATUS(506), HARD, 506 },
	{ POST, STATUS(599), HARD, 599 },
	{ POST, "HTTP/1.1 503 x\r\n\r\nto the end", HARD, 503, .close = true },
	/* the wrong type, in a 200 only, and only where a type is said */
	{ POST, OK "Content-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", BAD, 200 },
	{ POST, OK "Content-Type: \r\nContent-Length: 2\r\n\r\nhi", BAD, 200 },
	{ POST, OK "Content-Type: application/x-jsojson\r\nContent-Length: 2\r\n\r\n{}", ANSWERED,
	  200 },
	{ POST, OK "Content-Type: text/plain; of=json\r\nContent-Length: 2\r\n\r\n{}", BAD, 200 },
	{ POST, "HTTP/1.1 404 x\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", CALLER,
	  404 },
	{ GET, OK "Content-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", CALLER, 200 },
	/* names that only begin, or end, like those that matter */
	{ POST, OK "Content-Lengths: 9\r\nX-Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}",
	  ANSWERED, 200 },
	{ POST, OK "Content-Typo: text/html\r\nContent-Length: 2\r\n\r\n{}", ANSWERED, 200 },
	{ POST, "HTTP/1.1 503 x\r\nRetry-Afters: 9\r\nContent-Length: 0\r\n\r\n", HARD, 503 },
	/* other methods */
	{ GET, OK SSE "Content-Length: 3\r\n\r\n: x", CALLER, 200 },
	{ GET, STATUS(405), CALLER, 405 },
	{ GET, STATUS(503), HARD, 503 },
	{ "DELETE /mcp HTTP/1.1\r\nHost: x\r\n\r\n", OK "Content-Length: 0\r\n\r\n", CALLER, 200 },
	{ "HEAD /mcp HTTP/1.1\r\nHost: x\r\n\r\n", OK "Content-Length: 5000\r\n\r\n", CALLER, 200 },
	{ "HEAD /mcp HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 500 x\r\nContent-Length: 5000\r\n\r\n",
	  HARD, 500 },
	{ "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", STATUS(200), ANSWERED, 200 },
	{ "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", STATUS(200), ANSWERED, 200 },
	{ GET, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi", CALLER,
	  101 },
	/* no HTTP, or none that can be followed */
	{ POST, "HTTP/2 200 OK\r\n\r\n", BAD, ANY_STATUS, .uncounted = true },
	{ POST, "ICY 200 OK\r\n\r\n", BAD, ANY_STATUS, .uncounted = true },
	{ POST, "SSH-2.0-OpenSSH_9.2\r\n", BAD, ANY_STATUS, .uncounted = true },
	{ POST, "{\"jsonrpc\":\"2.0\"}", BAD, ANY_STATUS, .uncounted = true },
	{ POST, "HTTP/1.1 20 OK\r\n\r\n", BAD, ANY_STATUS, .uncounted = true },
	{ POST, "HTTP/1.1 2000 OK\r\n\r\n", BAD, ANY_STATUS, .uncounted = true },
	{ POST, "HTTP/1.1 abc OK\r\n\r\n", BAD, ANY_STATUS, .uncounted = true },
	{ POST, "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n", BAD, 99, .uncounted = true },
	{ POST, "HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n", BAD, 600, .uncounted = true },
	{ POST, OK "Content-Length: -1\r\n\r\n", BAD, 200, .uncounted = true },
	{ POST, OK "Content-Length: two\r\n\r\n", BAD, 200, .uncounted = true },
	{ POST, OK "Content-Length: 2x\r\n\r\n", BAD, 200, .uncounted = true },
	{ POST, OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", BAD, 200, .uncounted = true },
	{ POST, OK "Content-Length: 2, 22\r\n\r\n", BAD, 200, .uncounted = true },
	/* a proxy, of itself */
	{ CONNECT_TO, "HTTP/1.1 200 Connection established\r\n\r\n", CALLER, 200 },
	{ CONNECT_TO, OK "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n", CALLER, 200 },
	{ CONNECT_TO, STATUS(407), PROXY, 407 },
	{ CONNECT_TO, STATUS(502), PROXY, 502 },
	{ CONNECT_TO, STATUS(503), PROXY, 503 },
	{ CONNECT_TO, STATUS(504), PROXY, 504 },
	{ CONNECT_TO, STATUS(403), CALLER, 403 },
	{ POST, STATUS(407), PROXY, 407 },
};

static const struct talk_step no_steps[1];

/* One answer on a connection of its own, torn where talk.tear says. */
static void one_answer(const struct answer *a)
{
	const struct talk_outcome outcome = { a->class,   a->cause, a->status, a->class != SG_LOCAL,
					      a->retry_s, false };
	const struct talk_want want = { .name = a->say,
					.outcomes = &outcome,
					.n = 1,
					.connects = 1,
					.requests = 1,
					.interims = a->interims,
					.uncounted = a->uncounted };
	static const struct talk_step fin[] = { FIN, { TALK_END, NULL, 0 } };
	struct sg_policy policy = rig_policy();

	talk_end(&talk); /* whatever a failed test left */
	rig_server(dp, &policy, NS_PER_SEC);
	events.n = 0;
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, a->ask);
	talk_say(&talk, a->say);
	talk_play(&talk, a->close ? fin : no_steps);
	talk_end(&talk);
	talk_expect(&talk, &want, &events);
}

static void test_every_answer(void **state)
{
	(void)state;
	talk.tear = 0;
	for (talk.name = TALK_V4; talk.name < TALK_NAME_COUNT; talk.name++)
		for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
			one_answer(&answers[i]);
	talk.name = TALK_V4;
}

static void test_every_answer_torn_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		for (talk.tear = 1; talk.tear < strlen(answers[i].say); talk.tear++)
			one_answer(&answers[i]);
	talk.tear = 0;
}

static void test_every_answer_in_single_bytes(void **state)
{
	(void)state;
	talk.tear = TALK_BYTES;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		one_answer(&answers[i]);
	talk.tear = 0;
}

/* --- several turns -------------------------------------------------------------------- */

#define GOOD                           \
	{                              \
		ANSWERED, 200, true, 0 \
	}

static const struct row {
	const char *name;
	struct talk_step steps[TALK_STEPS_MAX];
	struct talk_outcome outcomes[TALK_OUTCOMES_MAX];
	size_t n;
	unsigned int requests;
	unsigned int interims;
	unsigned int unframed; /* answers whose chunks cannot be followed */
} rows[] = {
	{ "three turns on one connection",
	  { CONNECT, ASK(POST), SAY(OK_JSON), ASK(POST), SAY(OK_JSON), ASK(POST), SAY(OK_JSON) },
	  { GOOD, GOOD, GOOD },
	  .n = 3,
	  .requests = 3 },
	{ "good and bad in turn",
	  { CONNECT, ASK(POST), SAY(BUSY), ASK(POST), SAY(OK_JSON), ASK(GET), SAY(STATUS(405)),
	    ASK(POST), SAY(BUSY) },
	  { { HARD, 503, true, 0 }, GOOD, { CALLER, 405, true, 0 }, { HARD, 503, true, 0 } },
	  .n = 4,
	  .requests = 4 },
	{ "a request in several segments",
	  { CONNECT, ASK("POST /mcp HTTP/1.1\r\nHost"), ASK(": x\r\nContent-Length: 2\r\n\r\n"),
	    ASK("{"), ASK("}"), SAY(OK_JSON) },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "a request that goes on after 100 Continue",
	  { CONNECT, ASK("POST /mcp HTTP/1.1\r\nContent-Length: 2\r\n\r\n"),
	    SAY("HTTP/1.1 100 Continue\r\n\r\n"), ASK("{}"), SAY(OK_JSON) },
	  { GOOD },
	  .n = 1,
	  .requests = 1,
	  .interims = 1 },
	{ "two requests in one segment are one turn",
	  { CONNECT, ASK(POST POST), SAY(OK_JSON), SAY(BUSY), ASK(POST), SAY(OK_JSON) },
	  { GOOD, GOOD },
	  .n = 2,
	  .requests = 2 },
	{ "two requests before the first answer are one turn",
	  { CONNECT, ASK(POST), ASK(POST), SAY(OK_JSON), SAY(OK_JSON) },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "a request before the answer is complete",
	  { CONNECT, ASK(POST), SAY(OK JSON "Content-Length: 2\r\n\r\n{"), ASK(POST), SAY("}"),
	    ASK(POST), SAY(OK_JSON) },
	  { GOOD, GOOD },
	  .n = 2,
	  .requests = 2 },
	{ "two answers in one segment",
	  { CONNECT, ASK(POST POST), SAY(OK_JSON BUSY), ASK(POST), SAY(OK_JSON) },
	  { GOOD, GOOD },
	  .n = 2,
	  .requests = 2 },
	{ "an answer to nothing",
	  { CONNECT, SAY(BUSY), ASK(POST), SAY(OK_JSON), SAY(BUSY) },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "nothing but a connection", { CONNECT, FIN }, .n = 0 },
	{ "an answer to a request whose sender has nothing more to say",
	  { CONNECT, ASK(POST), SHUT, SAY(OK JSON "\r\n{}"), FIN },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "more of a request whose answer came early",
	  { CONNECT, ASK("POST /mcp HTTP/1.1\r\nContent-Length: 9\r\n\r\n"), SAY(STATUS(413)),
	    ASK("too"), ASK("much"), RST },
	  { { CALLER, 413, true, 0, false } },
	  .n = 1,
	  .requests = 1 },
	{ "an early answer that goes on while the request does, and a reset",
	  { CONNECT, ASK("POST /mcp HTTP/1.1\r\nContent-Length: 9\r\n\r\n"),
	    SAY("HTTP/1.1 413 x\r\nConnection: close\r\n\r\ntoo"), ASK("too"), ASK("much"),
	    SAY(" much"), RST },
	  { { .class = SG_CALLER, .cause = SG_CAUSE_STATUS, .status = 413 } },
	  .n = 1,
	  .requests = 1 },
	{ "an early failure, more of the request, and a reset",
	  { CONNECT, ASK("POST /mcp HTTP/1.1\r\nContent-Length: 9\r\n\r\n"),
	    SAY("HTTP/1.1 503 x\r\n\r\n"), ASK("too"), RST },
	  { { HARD, 503, true, 0 } },
	  .n = 1,
	  .requests = 1 },
	{ "more of a request whose early answer cannot be followed",
	  { CONNECT, ASK("POST /mcp HTTP/1.1\r\nContent-Length: 9\r\n\r\n"),
	    SAY("HTTP/1.1 413 x\r\n" CHUNKED "x"), ASK("too"), ASK("much"), RST },
	  { { .class = SG_CALLER, .cause = SG_CAUSE_STATUS, .status = 413 } },
	  .n = 1,
	  .requests = 1,
	  .unframed = 1 },
	{ "what is in a tunnel is nobody's",
	  { CONNECT, ASK(CONNECT_TO), SAY(OK "\r\n"), ASK("\x16\x03\x01\x00\x05hello"),
	    SAY("\x16\x03\x03\x00\x05hello"), ASK(POST), SAY(BUSY), ASK(POST), RST },
	  { { CALLER, 200, true, 0 } },
	  .n = 1,
	  .requests = 1 },
	{ "a tunnel that was refused, and one that was not",
	  { CONNECT, ASK(CONNECT_TO), SAY(STATUS(407)), ASK(CONNECT_TO),
	    SAY("HTTP/1.1 200 x\r\n\r\nhi"), ASK("hello"), FIN },
	  { { PROXY, 407, true, 0 }, { CALLER, 200, true, 0 } },
	  .n = 2,
	  .requests = 2 },
	{ "chunks that cannot be followed: silence ends the answer",
	  { CONNECT, ASK(POST), SAY(OK JSON CHUNKED "2\r\n{}\r\nx\r\n"), SWEEP, PAUSE(210), SWEEP },
	  { GOOD },
	  .n = 1,
	  .requests = 1,
	  .unframed = 1 },
	{ "trailers, then the next request",
	  { CONNECT, ASK(POST), SAY(OK JSON CHUNKED "2\r\n{}\r\n0\r\nX: y\r\n"),
	    SAY("Z: 0\r\n\r\n"), ASK(POST), SAY(BUSY) },
	  { GOOD, { HARD, 503, true, 0 } },
	  .n = 2,
	  .requests = 2 },
	{ "an answer in chunks in front of another one",
	  { CONNECT, ASK(POST POST), SAY(OK JSON CHUNKED "2\r\n{}\r\n0\r\nX: y\r\n\r\n" BUSY),
	    ASK(POST), SAY(OK_JSON) },
	  { GOOD, GOOD },
	  .n = 2,
	  .requests = 2 },
	{ "a POST that finds nothing, where POSTs were answered",
	  { CONNECT, ASK(POST), SAY(NOT_FOUND("text/plain")), ASK(POST), SAY(OK_JSON), ASK(POST),
	    SAY(NOT_FOUND("text/plain; charset=utf-8")), ASK(POST),
	    SAY(NOT_FOUND("application/json")), ASK(GET), SAY(NOT_FOUND("text/html")), ASK(POST),
	    SAY(NOT_FOUND("text/html")) },
	  { { CALLER, 404, true, 0 },
	    GOOD,
	    { NO_ROUTE, 404, true, 0 },
	    { CALLER, 404, true, 0 },
	    { CALLER, 404, true, 0 },
	    { NO_ROUTE, 404, true, 0 } },
	  .n = 6,
	  .requests = 6 },
	{ "frames behind an upgrade",
	  { CONNECT, ASK(GET), SAY("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n"), ASK("\x81\x82"),
	    SAY("\x81\x02hi"), ASK("\x81\x82"), FIN },
	  { { CALLER, 101, true, 0, false } },
	  .n = 1,
	  .requests = 1 },
	{ "not HTTP: the next request ends the answer, then the end does",
	  { CONNECT, ASK("hello"), SAY("HTTP/1.1 503"), SAY("more"), ASK("again"), SAY("x"), FIN },
	  { { ANSWERED, 0, true, 0 }, { ANSWERED, 0, true, 0 } },
	  .n = 2,
	  .requests = 2 },
	{ "not HTTP: silence ends the answer",
	  { CONNECT, ASK("hello"), SAY("world"), SWEEP, PAUSE(210), SWEEP, SWEEP },
	  { { ANSWERED, 0, true, 0 } },
	  .n = 1,
	  .requests = 1 },
};

static void play(const struct row *row)
{
	const struct talk_want want = { .name = row->name,
					.outcomes = row->outcomes,
					.n = row->n,
					.connects = 1,
					.requests = row->requests,
					.interims = row->interims,
					.unframed = row->unframed };
	struct sg_policy policy = rig_policy();

	talk_end(&talk);
	rig_server(dp, &policy, NS_PER_SEC);
	events.n = 0;
	talk_play(&talk, row->steps);
	talk_end(&talk);
	talk_expect(&talk, &want, &events);
}

static void test_several_turns(void **state)
{
	(void)state;
	for (talk.name = TALK_V4; talk.name < TALK_NAME_COUNT; talk.name++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			play(&rows[i]);
	talk.name = TALK_V4;
}

/* A date says for how long, too: by the wall clock, which the daemon tells with its lease. */
static void test_dates(void **state)
{
	static const int ahead[] = { 20, 200, 4000, -20 };
	struct sg_policy policy = rig_policy();
	char text[200];
	char date[64];

	(void)state;
	rig_server(dp, &policy, NS_PER_SEC);
	dataplane_lease(dp, SG_FOREVER);
	assert_int_equal(talk_dial(&talk), 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(ahead); i++) {
		int wanted = ahead[i / 2];
		time_t then = time(NULL) + wanted;
		int got;

		if (i % 2)
			strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&then));
		else
			strftime(date, sizeof(date), "%A, %d-%b-26 %H:%M:%S GMT", gmtime(&then));
		snprintf(text, sizeof(text),
			 "HTTP/1.1 429 x\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
		events.n = 0;
		talk_ask(&talk, POST);
		talk_say(&talk, text);
		rig_wait(dp, &events, 1);
		assert_int_equal(events.n, 1);
		got = (int)(events.e[0].retry_after_ns / NS_PER_SEC);
		if (wanted < 0)
			wanted = 0;
		if (got > wanted || got < wanted - (wanted ? 10 : 0)) /* some time went by */
			fail_msg("%s: %d s, not %d", date, got, wanted);
		assert_int_equal(events.e[0].cause, SG_CAUSE_LIMITED);
	}
	talk_end(&talk);
}

/* More chunks in a segment than are followed: silence ends such an answer, and it is counted. */
static void test_many_chunks(void **state)
{
	static char text[70000];
	struct sg_policy policy = rig_policy();

	(void)state;
	for (int chunks = 490; chunks <= 700; chunks += 210) {
		int n = snprintf(text, sizeof(text), OK JSON CHUNKED);

		rig_server(dp, &policy, NS_PER_SEC);
		events.n = 0;
		for (int i = 0; i < chunks; i++)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "3\r\n{ }\r\n");
		snprintf(text + n, sizeof(text) - (size_t)n, "0\r\n\r\n");
		assert_int_equal(talk_dial(&talk), 0);
		talk_ask(&talk, POST);
		talk_say(&talk, text);
		usleep(210000);
		rig_read(dp, &events);
		assert_int_equal(events.n, chunks == 490);
		assert_int_equal(rig_stats(dp).unframed, chunks != 490);
		assert_int_equal(dataplane_sweep(dp, &(struct dataplane_sweep){ 0 }), 0);
		rig_wait(dp, &events, 1);
		assert_int_equal(events.n, 1);
		assert_int_equal(events.e[0].outcome, SG_SUCCESS);
		talk_end(&talk);
	}
}

/* The streak counts each failure once, and a success ends it. */
static void test_streak(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	rig_server(dp, &policy, NS_PER_SEC);
	events.n = 0;
	assert_int_equal(talk_dial(&talk), 0);
	for (size_t i = 0; i < 12; i++) {
		talk_ask(&talk, POST);
		talk_say(&talk, i == 6 ? OK_JSON : BUSY);
	}
	rig_wait(dp, &events, 12);
	assert_int_equal(events.n, 12);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(events.e[i].streak, i < 6 ? i + 1 : i - 6);
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(events.e[i].method, SG_METHOD_POST);
		assert_int_equal(events.e[i].effect, SG_EFFECT_NONE);
		assert_true(events.e[i].cookie == events.e[0].cookie && events.e[i].cookie);
	}
	talk_end(&talk);
}

/* --- sizes ------------------------------------------------------------------------------ */

static char large[300000];

/* An answer whose header takes `head` bytes and whose body `body`. */
static const char *large_answer(int status, size_t head, size_t body)
{
	int n = snprintf(
		large, sizeof(large),
		"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"X-Filler: ",
		status, body);
	size_t at = (size_t)n;

	assert_true(head >= at + 4 && head + body < sizeof(large));
	memset(large + at, 'f', head - at - 4);
	memcpy(large + head - 4, "\r\n\r\n", 4);
	memset(large + head, ' ', body);
	large[head + body] = '\0';
	return large;
}

static void test_large_bodies(void **state)
{
	static const size_t bodies[] = { 1, 1000, 1448, 65483, 65536, 250000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct answer a = { POST, large_answer(200, 120, bodies[i]), ANSWERED, 200 };

		one_answer(&a);
		talk.tear = 121;
		one_answer(&a);
		talk.tear = bodies[i] + 119;
		one_answer(&a);
		talk.tear = 0;
	}
}

/* A header longer than what is scanned of one segment: the status still counts. */
static void test_large_headers(void **state)
{
	static const size_t heads[] = { 1022, 1023, 1024, 1025, 1026, 1500, 4000, 20000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct answer a = { POST, large_answer(503, heads[i], 10), HARD, 503 };

		one_answer(&a);
		talk.tear = 700;
		one_answer(&a);
		talk.tear = 0;
		large_answer(200, heads[i], 10);
		a = (struct answer){ POST, large, ANSWERED, 200, .close = true };
		one_answer(&a);
		talk.tear = 1000;
		one_answer(&a);
		talk.tear = 0;
	}
}

/* --- times -------------------------------------------------------------------------------- */

/* At least so long, and no longer than what the machine added to all the pauses. */
static void expect_between(uint64_t ns, uint64_t min, uint64_t added)
{
	if (ns < min || ns > min + added)
		fail_msg("%.3f ms, not %.0f ms and at most %.3f more", (double)ns / 1e6,
			 (double)min / 1e6, (double)added / 1e6);
}

static uint64_t pauses(const struct talk_step *steps)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < TALK_STEPS_MAX && steps[i].op != TALK_END; i++)
		if (steps[i].op == TALK_PAUSE)
			ns += steps[i].n * NS_PER_MS;
	return ns;
}

/* First and last byte, and the silence that ends an answer is no part of it. */
static void test_times(void **state)
{
	static const struct {
		struct talk_step steps[TALK_STEPS_MAX];
		uint64_t first_ms;
		uint64_t last_ms;
	} cases[] = {
		{ { CONNECT, PAUSE(20), ASK(POST), PAUSE(30), SAY(OK_JSON) }, 30, 30 },
		{ { CONNECT, ASK(POST), PAUSE(10), SAY(OK JSON), PAUSE(30),
		    SAY("Content-Length: 2\r\n\r\n{"), PAUSE(20), SAY("}") },
		  10,
		  60 },
		{ { CONNECT, ASK(POST), PAUSE(10), SAY(OK SSE "Transfer-Encoding: chunked\r\n\r\n"),
		    PAUSE(40), SAY("2\r\n{}\r\n"), PAUSE(20), SAY("0\r\n\r\n"), PAUSE(30) },
		  10,
		  70 },
		{ { CONNECT, ASK(POST), PAUSE(20), SAY("HTTP/1.1 503 x\r\n\r\n"), PAUSE(30),
		    SAY("body") },
		  20,
		  20 }, /* the status is enough */
		{ { CONNECT, ASK(POST), PAUSE(20), SAY(OK JSON "\r\n"), PAUSE(20), SAY("{}"),
		    PAUSE(30), FIN },
		  20,
		  40 },
		{ { CONNECT, ASK("hello"), PAUSE(20), SAY("a"), PAUSE(30), SAY("b"), PAUSE(220),
		    SWEEP },
		  20,
		  50 },
	};
	struct sg_policy policy = rig_policy();
	uint64_t added;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig_server(dp, &policy, NS_PER_SEC);
		events.n = 0;
		added = clock_boot_ns();
		talk_play(&talk, cases[i].steps);
		added = clock_boot_ns() - added - pauses(cases[i].steps);
		talk_end(&talk);
		rig_wait(dp, &events, 1);
		assert_int_equal(events.n, 1);
		expect_between(events.e[0].first_ns, cases[i].first_ms * NS_PER_MS, added);
		expect_between(events.e[0].latency_ns, cases[i].last_ms * NS_PER_MS, added);
		assert_true(events.e[0].first_ns <= events.e[0].latency_ns);
		assert_true(events.e[0].t_ns <= clock_boot_ns());
	}
}

/* Successes alone are in the histograms of answers, every connect in its own. */
static void test_histograms(void **state)
{
	struct sg_policy policy = rig_policy();
	uint64_t before[SG_METRIC_COUNT];
	struct sg_hist h;

	(void)state;
	rig_server(dp, &policy, NS_PER_SEC);
	for (uint32_t m = 0; m < SG_METRIC_COUNT; m++) {
		assert_int_equal(dataplane_hist(dp, RIG_SERVER, m, &h), 0);
		before[m] = h.count;
	}
	assert_int_equal(talk_dial(&talk), 0);
	for (size_t i = 0; i < 5; i++) {
		talk_ask(&talk, POST);
		if (i == 4)
			usleep(70000);
		talk_say(&talk, i == 1 ? BUSY : OK_JSON);
	}
	talk_end(&talk);
	for (uint32_t m = 0; m < SG_METRIC_COUNT; m++) {
		uint64_t sum = 0;

		assert_int_equal(dataplane_hist(dp, RIG_SERVER, m, &h), 0);
		assert_int_equal(h.count - before[m], m == SG_METRIC_CONNECT ? 1
						      : m == SG_METRIC_TLS   ? 0
									     : 4);
		for (size_t b = 0; b < SG_HIST_BUCKETS; b++)
			sum += h.bucket[b];
		assert_int_equal(sum, h.count);
		if (m == SG_METRIC_ANSWER)
			assert_true(h.sum_ns > 70 * NS_PER_MS);
	}
}

/* --- what is not listed ------------------------------------------------------------------ */

static void test_unlisted_destinations_leave_no_trace(void **state)
{
	struct sg_policy policy = rig_policy();
	uint16_t port = talk.port;
	struct sg_stats none = { 0 };
	struct sg_stats st;
	struct dataplane_sweep sweep;
	uint64_t turn;

	(void)state;
	talk_done(&talk);
	talk_init(&talk, dp);
	rig_endpoint(dp, "127.0.0.1", port); /* the old one, where nobody listens now */
	rig_server(dp, &policy, NS_PER_SEC);
	events.n = 0;
	turn = dp->pulse->turn_ns;
	for (talk.name = TALK_V4; talk.name < TALK_NAME_COUNT; talk.name++) {
		for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
			assert_int_equal(talk_dial(&talk), 0);
			talk_ask(&talk, answers[i].ask);
			talk_say(&talk, answers[i].say);
			assert_int_equal(dataplane_sweep(dp, &sweep), 0);
			assert_int_equal(sweep.flows, 0);
			if (i % 2)
				talk_reset(TAKE_FD(talk.server));
			talk_end(&talk);
		}
	}
	talk.name = TALK_V4;
	usleep(5000);
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
	st = rig_stats(dp);
	assert_memory_equal(&st, &none, sizeof(none));
	assert_true(dp->pulse->turn_ns == turn);
	rig_endpoint(dp, "127.0.0.1", talk.port); /* and now it does */
	one_answer(&answers[0]);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_answer),
		cmocka_unit_test(test_every_answer_torn_at_every_byte),
		cmocka_unit_test(test_every_answer_in_single_bytes),
		cmocka_unit_test(test_several_turns),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_streak),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_large_headers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_unlisted_destinations_leave_no_trace),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
