/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events as Server-Sent Events: what comes, where it goes on, and that what is missing is told. */
#include <sqlite3.h>
#include <string.h>

#include "io/history.h"
#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

#define STREAM(f) cmocka_unit_test_setup_teardown(f, setup, modules_teardown)
#define ACCEPT "Accept: text/event-stream\r\n"

static struct {
	struct rig_answer a;
	int fd;
} client;

static int setup(void **state)
{
	client.fd = -1;
	memset(&client.a, 0, sizeof(client.a));
	return modules_setup(state);
}

static void leave(void)
{
	close(client.fd);
	rig_answer_done(&client.a);
	rig_advance(&rig, SECONDS(3)); /* until it is noticed */
	rig_pass(&rig);
}

static const char *look(void)
{
	rig_pass(&rig);
	rig_look(&rig, client.fd, &client.a);
	assert_non_null(client.a.body);
	return client.a.body;
}

static const char *come(const char *query, const char *header)
{
	char path[128];
	char lines[256];

	snprintf(path, sizeof(path), "/v1/events%s", query);
	snprintf(lines, sizeof(lines), ACCEPT "%s", header);
	client.fd = rig_get(&rig, path, lines);
	return look();
}

/* As a client that comes back. */
static const char *come_back(uint64_t id)
{
	char line[64];

	snprintf(line, sizeof(line), "Last-Event-ID: %llu\r\n", (unsigned long long)id);
	return come("", line);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static uint64_t last_id(const char *text)
{
	uint64_t id = 0;

	for (const char *at = text; (at = strstr(at, "id: ")); at++)
		id = strtoull(at + 4, NULL, 10);
	assert_true(id != 0);
	return id;
}

static void quarantine(const char *server, int n)
{
	char body[64];

	snprintf(body, sizeof(body), "{\"reason\":\"number %d\"}", n);
	assert_int_equal(rig_order(&rig, server, "quarantine", body), 200);
}

/* So many events: none of them is small. */
static void happen(int n)
{
	for (int i = 0; i < n; i++) {
		bus_alarm(rig.d.bus, "a", "alarm %d %0200d", i, 0);
		if (i % 100 == 99)
			rig_pass(&rig);
	}
	rig_pass(&rig);
}

static void test_as_they_happen(void **state)
{
	const char *text;
	uint64_t id;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	text = come("", "");
	assert_int_equal(client.a.status, 200);
	assert_non_null(strstr(client.a.text, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(text, "retry: 1000\n\n"));
	assert_int_equal(count(text, "data: "), 0);
	id = last_id(text);
	open_up("a");
	text = look();
	assert_int_equal(count(text, "event: transition\ndata: {"), 1);
	assert_non_null(strstr(text, "\"server\":\"a\""));
	assert_int_equal(last_id(text), id + 1);
	quarantine("b", 1);
	text = look();
	assert_int_equal(count(text, "event: quarantine\ndata: {"), 1);
	assert_int_equal(count(text, "event: gap"), 0);
	leave();
}

static void test_other_answers_stay(void **state)
{
	struct rig_answer a = { 0 };
	int fd;

	(void)state;
	rig_start(&rig, SERVERS(A));
	open_up("a");
	assert_int_equal(rig_ask(&rig, "GET", "/v1/events", NULL, &a), 200);
	assert_non_null(strstr(a.text, "Content-Type: application/x-ndjson\r\n"));
	assert_null(strstr(a.text, "serial"));
	rig_answer_done(&a);
	fd = rig_get(&rig, "/v1/status", ACCEPT);
	rig_look(&rig, fd, &a);
	assert_int_equal(a.status, 200);
	rig_answer_done(&a);
	close(fd);
}

static void test_resumes(void **state)
{
	const char *text;
	uint64_t id;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	text = come("", "");
	open_up("a");
	id = last_id(look());
	leave();
	quarantine("a", 1);
	quarantine("b", 2);
	text = come_back(id);
	assert_int_equal(count(text, "\ndata: "), 2);
	assert_non_null(strstr(text, "number 1"));
	assert_non_null(strstr(text, "number 2"));
	assert_int_equal(count(text, "event: gap"), 0);
	leave();
	/* what the header says goes before the address, which stays the same */
	text = come("?after=1", "");
	assert_int_equal(count(text, "event: gap"), 1);
	leave();
	text = come("?after=0", "");
	assert_int_equal(count(text, "event: gap"), 0);
	assert_int_equal(count(text, "event: transition"), 1);
	assert_int_equal(count(text, "event: quarantine"), 2);
	leave();
}

static void test_resumes_with_the_next_daemon(void **state)
{
	const char *text;
	uint64_t id;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	come("", "");
	id = last_id(client.a.body);
	quarantine("a", 1);
	assert_int_equal(last_id(look()), id + 1);
	leave();
	quarantine("b", 2);
	rig_restart(&rig, SERVERS(A "," B));
	quarantine("b", 3);
	text = come_back(id + 1);
	assert_null(strstr(text, "number 1"));
	assert_non_null(strstr(text, "number 2"));
	assert_non_null(strstr(text, "number 3"));
	assert_int_equal(count(text, "event: gap"), 0);
	assert_true(last_id(text) % EVENT_RUN <= 2);
	leave();
	/* twice, and from before anything had happened; those with the same serial of another run */
	rig_restart(&rig, SERVERS(A "," B));
	text = come_back(id);
	assert_int_equal(count(text, "event: quarantine"), 3);
	assert_int_equal(count(text, "event: gap"), 0);
	leave();
}

static void test_says_what_is_missing(void **state)
{
	char path[200];
	const char *text;
	sqlite3 *db;
	uint64_t id;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	id = bus_serial(rig.d.bus);
	for (int i = 0; i < 6; i++)
		quarantine(i % 2 ? "a" : "b", i);
	rig_restart(&rig, SERVERS(A "," B));
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, rig.state_dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM event WHERE line LIKE '%number 3%'", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	text = come_back(id + 1);
	assert_non_null(strstr(text, "number 2"));
	assert_non_null(strstr(text, "number 4"));
	assert_int_equal(count(text, "event: gap"), 1);
	assert_true(strstr(text, "number 2") < strstr(text, "event: gap"));
	assert_true(strstr(text, "event: gap") < strstr(text, "number 4"));
	leave();
	/* of an order that is not this one: an old one, and one to come */
	text = come_back(12345);
	assert_non_null(strstr(text, "{\"after\":12345,\"next\":"));
	assert_int_equal(count(text, "event: quarantine"), 5);
	leave();
	text = come_back(9000000000000000000ULL);
	assert_non_null(strstr(text, "{\"after\":9000000000000000000,\"next\":null,"));
	quarantine("a", 7);
	assert_non_null(strstr(look(), "number 7"));
	leave();
}

static void test_without_a_disk(void **state)
{
	char path[200];
	const char *text;
	uint64_t id;

	(void)state;
	rig_start(&rig, SERVERS(A));
	quarantine("a", 1);
	id = bus_serial(rig.d.bus);
	rig_end(&rig);
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, rig.state_dir);
	assert_int_equal(remove(path), 0);
	fake_clock_advance(SECONDS(3));
	rig_start(&rig, SERVERS(A));
	text = come_back(id);
	assert_int_equal(count(text, "event: gap"), 1); /* nobody knows whether it has all */
	leave();
	come_back(id - 1);
	quarantine("a", 2);
	text = look();
	assert_int_equal(count(text, "event: gap"), 1);
	assert_non_null(strstr(text, "number 2"));
	leave();
}

static void test_filters(void **state)
{
	const char *text;
	uint64_t id;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	id = bus_serial(rig.d.bus);
	text = come("?server=a&type=quarantine", "");
	open_up("a");
	quarantine("a", 1);
	quarantine("b", 2);
	text = look();
	assert_int_equal(count(text, "data: "), 1);
	assert_non_null(strstr(text, "number 1"));
	/* how far it is, is told past what was left out */
	rig_advance(&rig, SECONDS(16));
	text = look();
	assert_non_null(strstr(text, ": keep-alive\n\n"));
	assert_int_equal(last_id(text), bus_serial(rig.d.bus));
	leave();
	/* from the disk as well */
	rig_restart(&rig, SERVERS(A "," B));
	text = come("?server=a&type=quarantine&after=0", "");
	assert_int_equal(count(text, "data: "), 1);
	assert_true(last_id(text) > id);
	leave();
	text = come("?since=1h&type=transition", "");
	assert_int_equal(count(text, "event: transition"), 1);
	leave();
}

static void refuses(const char *query, const char *header, const char *why)
{
	come(query, header);
	assert_int_equal(client.a.status, 400);
	assert_non_null(strstr(client.a.body, why));
	leave();
}

static void test_bad_requests(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	refuses("?after=x", "", "\\\"after\\\" is no serial");
	refuses("", "Last-Event-ID: -1\r\n", "header Last-Event-ID is no serial");
	refuses("?since=never", "", "\\\"since\\\" is not a valid duration");
	refuses("?type=nothing", "", "no such type");
	refuses("?type=call", "", "single calls have no serial");
	refuses("?calls=1", "", "single calls have no serial");
}

static void test_others_see_less_of_urls(void **state)
{
	const char *text;

	(void)state;
	rig_start(&rig, SERVERS(A));
	bus_alarm(rig.d.bus, "a", "look");
	rig_pass(&rig);
	rig_restart(&rig, SERVERS(A));
	rig_client(RIG_NOBODY, RIG_NOBODY);
	text = come("?after=0", "");
	assert_int_equal(count(text, "event: alarm"), 1);
	leave();
	rig_client(0, 0);
}

/* Who does not read falls behind, also behind what is in memory, and misses nothing. */
static void test_slow_reader(void **state)
{
	const char *text;

	(void)state;
	rig_start(&rig, SERVERS(A));
	come("?type=alarm", "");
	happen(4000);
	for (int i = 0; i < 40; i++)
		text = look();
	assert_int_equal(count(text, "event: alarm"), 4000);
	assert_int_equal(count(text, "event: gap"), 0);
	leave();
}

/* A pass may have more than is kept in memory. */
static void test_many_at_once(void **state)
{
	const char *text;

	(void)state;
	rig_start(&rig, SERVERS(A));
	come("?type=alarm", "");
	for (int i = 0; i < 700; i++)
		bus_alarm(rig.d.bus, "a", "alarm %d", i);
	rig_pass(&rig);
	text = look();
	assert_int_equal(count(text, "event: alarm"), 700);
	assert_int_equal(count(text, "event: gap"), 0);
	leave();
}

static void test_so_many_and_no_more(void **state)
{
	int fds[16];

	(void)state;
	rig_start(&rig, SERVERS(A));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = rig_get(&rig, "/v1/events", ACCEPT);
		rig_turn(&rig);
	}
	come("", "");
	assert_int_equal(client.a.status, 503);
	assert_non_null(strstr(client.a.body, "too many clients follow"));
	leave();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	rig_advance(&rig, SECONDS(3));
	rig_pass(&rig);
	rig_turn(&rig);
	come("", "");
	assert_int_equal(client.a.status, 200);
	leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM(test_as_they_happen),
		STREAM(test_other_answers_stay),
		STREAM(test_resumes),
		STREAM(test_resumes_with_the_next_daemon),
		STREAM(test_says_what_is_missing),
		STREAM(test_without_a_disk),
		STREAM(test_filters),
		STREAM(test_bad_requests),
		STREAM(test_others_see_less_of_urls),
		STREAM(test_slow_reader),
		STREAM(test_many_at_once),
		STREAM(test_so_many_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
