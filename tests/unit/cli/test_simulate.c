/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `switchgear simulate`, the whole program. Each directory of tests/simulate is
 * a test of its name: policy.json and events.jsonl in, expected.jsonl out, to
 * the byte. Where there is an expected.err, that comes on the standard error and
 * the exit status is 1, or what `status` says; `options` holds more options.
 */
#include "unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"

#define SCENARIOS "tests/simulate"
#define SCENARIOS_MAX 256
#define NUMBERED 23 /* conformance scenarios; two of them have two directories */
#define WORDS_MAX 12
#define TEXT_MAX (1U << 20)

struct result {
	int status;
	char out[TEXT_MAX];
	char err[TEXT_MAX];
};

static char scratch[] = "/tmp/sg-test-simulate-XXXXXX";
static char scenarios[4096];

static void slurp_fd(int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while (len < TEXT_MAX - 1 && (n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
}

/* The file's text; false, and empty, if there is none. */
static bool slurp(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*text = '\0';
	if (fd < 0)
		return false;
	slurp_fd(fd, text);
	return true;
}

static void spill(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
}

static int temporary(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/XXXXXX", scratch);
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

/* Runs `switchgear simulate words...` in `dir`; input: a file for stdin, or NULL. */
static struct result *simulate(const char *dir, const char *input, char *const *words)
{
	struct result *r = calloc(1, sizeof(*r));
	int out = temporary();
	int err = temporary();
	int status;
	pid_t pid;

	assert_non_null(r);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[WORDS_MAX + 3] = { (char *)(uintptr_t) "switchgear",
					      (char *)(uintptr_t) "simulate" };

		for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
			argv[i + 2] = words[i];
		if (chdir(dir) < 0 || (input && !freopen(input, "re", stdin)))
			_exit(99);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		exit(cli_run(argv));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	r->status = WEXITSTATUS(status);
	slurp_fd(out, r->out);
	slurp_fd(err, r->err);
	return r;
}

/* --- scenarios ------------------------------------------------------------------- */

static void split(char *text, char **words, size_t *n)
{
	for (char *p = strtok_r(text, " \n", &text); p && *n < WORDS_MAX;
	     p = strtok_r(NULL, " \n", &text))
		words[(*n)++] = p;
}

static void file_of(char *path, size_t size, const char *dir, const char *file)
{
	snprintf(path, size, "%s/%s", dir, file);
}

static void test_scenario(void **state)
{
	const char *dir = *state;
	char *words[WORDS_MAX + 1] = { (char *)(uintptr_t) "--policy",
				       (char *)(uintptr_t) "policy.json",
				       (char *)(uintptr_t) "events.jsonl" };
	char *expected = calloc(1, TEXT_MAX);
	char *options = calloc(1, TEXT_MAX);
	struct result *r;
	char path[4400];
	size_t n = 3;
	int status;

	assert_non_null(expected);
	assert_non_null(options);
	file_of(path, sizeof(path), dir, "options");
	(void)slurp(path, options);
	split(options, words, &n);
	r = simulate(dir, NULL, words);
	file_of(path, sizeof(path), dir, "expected.err");
	status = slurp(path, expected) ? EXIT_FAILED : EXIT_DONE;
	assert_string_equal(r->err, expected);
	file_of(path, sizeof(path), dir, "expected.jsonl");
	assert_true(slurp(path, expected));
	assert_string_equal(r->out, expected);
	file_of(path, sizeof(path), dir, "status");
	if (slurp(path, expected))
		status = expected[0] - '0';
	assert_int_equal(r->status, status);
	free(r);
	free(expected);
	free(options);
}

static int by_name(const void *a, const void *b)
{
	const struct CMUnitTest *x = a;
	const struct CMUnitTest *y = b;

	return strcmp(x->name, y->name);
}

static size_t find_scenarios(struct CMUnitTest *tests)
{
	DIR *dir = opendir(SCENARIOS);
	const struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)) && n < SCENARIOS_MAX) {
		char path[4400];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/policy.json", scenarios, entry->d_name);
		if (access(path, R_OK) < 0)
			continue;
		path[strlen(path) - strlen("/policy.json")] = '\0';
		tests[n].initial_state = strdup(path);
		tests[n].name = strrchr(tests[n].initial_state, '/') + 1;
		tests[n].test_func = test_scenario;
		n++;
	}
	closedir(dir);
	qsort(tests, n, sizeof(*tests), by_name);
	return n;
}

/* None of the conformance list has got lost. */
static void test_all_conformance_scenarios_are_there(void **state)
{
	const struct CMUnitTest *tests = *state;

	for (int i = 1; i <= NUMBERED; i++) {
		bool found = false;
		char prefix[16];

		snprintf(prefix, sizeof(prefix), "%02d-", i);
		for (size_t k = 0; tests[k].name; k++)
			found |= !strncmp(tests[k].name, prefix, 3);
		if (!found)
			fail_msg("no directory %s/%s*", SCENARIOS, prefix);
	}
}

/* --- errors ----------------------------------------------------------------------- */

#define CALL(t) "{\"t\":" #t ",\"op\":\"call\",\"server\":\"a\",\"outcome\":\"success\"}\n"
#define START "{\"t\":0,\"op\":\"start\",\"server\":\"a\",\"id\":\"x\"}\n"

static const struct error_case {
	const char *events;
	const char *message; /* behind "switchgear: events.jsonl:" */
} error_cases[] = {
	{ "[1]\n", "1:1: one JSON object a line is expected: {\"t\":0.0,...}" },
	{ "{} x\n", "1:4: trailing characters after the object; one object a line" },
	{ "{}\n", "1:1: \"op\" is missing: call, start, end, admit, ..." },
	{ "{\"op\":null}", "1:1: \"op\" is missing: call, start, end, admit, ..." },
	{ "{\"op\":1}", "1:7: \"op\" is a number; text is expected" },
	{ "{\"op\":\"cal\"}", "1:7: unknown \"op\": \"cal\"; did you mean \"call\"?" },
	{ "{\"op\":\"fly\"}",
	  "1:7: \"op\" is none of call, start, end, admit, cancel, force, state, finding, trust" },
	{ "{\"op\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	  "1:7: \"op\" is none of call, start, end, admit, cancel, force, state, finding, trust" },
	{ "{\"op\":\"call\",\"server\":\"a\",\"outcome\":\"hard\"}",
	  "1:7: \"call\" needs \"t\", which is missing" },
	{ "{\"t\":1,\"op\":\"call\",\"outcome\":\"hard\"}",
	  "1:13: \"call\" needs \"server\", which is missing" },
	{ "{\"t\":1,\"op\":\"call\",\"server\":\"a\"}",
	  "1:13: \"call\" needs \"outcome\", which is missing" },
	{ "{\"t\":1,\"op\":\"start\",\"server\":\"a\"}",
	  "1:13: \"start\" needs \"id\", which is missing" },
	{ "{\"t\":1,\"op\":\"end\",\"server\":\"a\",\"id\":\"x\"}",
	  "1:13: \"end\" needs \"outcome\", which is missing" },
	{ "{\"t\":1,\"op\":\"cancel\",\"server\":\"a\"}",
	  "1:13: \"cancel\" needs \"id\", which is missing" },
	{ "{\"t\":1,\"op\":\"force\",\"server\":\"a\"}",
	  "1:13: \"force\" needs \"to\", which is missing" },
	{ "{\"t\":1,\"op\":\"finding\",\"server\":\"a\"}",
	  "1:13: \"finding\" needs \"severity\", which is missing" },
	{ "{\"t\":\"1\",\"op\":\"admit\",\"server\":\"a\"}",
	  "1:6: \"t\" is text; a number of seconds is expected" },
	{ "{\"t\":-1,\"op\":\"admit\",\"server\":\"a\"}",
	  "1:6: \"t\" is out of range: 0 to 4000000000 s" },
	{ "{\"t\":4000000000.1,\"op\":\"admit\",\"server\":\"a\"}",
	  "1:6: \"t\" is out of range: 0 to 4000000000 s" },
	{ "{\"t\":1e999999999999,\"op\":\"admit\",\"server\":\"a\"}",
	  "1:6: \"t\" is out of range: 0 to 4000000000 s" },
	{ "{\"t\":01,\"op\":\"admit\",\"server\":\"a\"}", "1:6: not a number of JSON" },
	{ "{\"t\":1.,\"op\":\"admit\",\"server\":\"a\"}", "1:6: not a number of JSON" },
	{ "{\"t\":+1,\"op\":\"admit\",\"server\":\"a\"}",
	  "1:6: a value is expected: text, a number, true, false or null" },
	{ "{\"t\":NaN,\"op\":\"admit\",\"server\":\"a\"}",
	  "1:6: a value is expected: text, a number, true, false or null" },
	{ "{\"t\":1,\"t\":1,\"op\":\"admit\",\"server\":\"a\"}", "1:8: duplicate key \"t\"" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":\"\"}", "1:30: \"server\" is empty" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":[\"a\"]}",
	  "1:30: \"server\" is a list; text is expected" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":\"a\",\"id\":{}}",
	  "1:39: \"id\" is an object; text is expected" },
	{ "{\"t\":1,\"op\":\"state\",\"server\":\"a\",\"tool\":true}",
	  "1:41: \"tool\" is true; text is expected" },
	{ "{\"t\":1,\"op\":\"call\",\"server\":\"a\",\"outcome\":\"hardd\"}",
	  "1:43: unknown \"outcome\": \"hardd\"; did you mean \"hard\"?" },
	{ "{\"t\":1,\"op\":\"call\",\"server\":\"a\",\"outcome\":\"hard\",\"latency\":-2}",
	  "1:60: \"latency\" is out of range: 0 to 4000000000 s" },
	{ "{\"t\":1,\"op\":\"call\",\"server\":\"a\",\"outcome\":\"hard\",\"latency\":\"2x\"}",
	  "1:60: \"latency\" is not a valid duration: seconds, or 90s, 10m, 2h, 1d" },
	{ "{\"t\":1,\"op\":\"call\",\"server\":\"a\",\"outcome\":\"soft\",\"retry_after\":[]}",
	  "1:64: \"retry_after\" is a list; a number of seconds is expected" },
	{ "{\"t\":1,\"op\":\"call\",\"server\":\"a\",\"outcome\":\"hard\",\"cause\":5}",
	  "1:58: \"cause\" is a number; text is expected" },
	{ "{\"t\":1,\"op\":\"force\",\"server\":\"a\",\"to\":\"open\"}",
	  "1:39: \"to\" is none of forced_open, forced_closed, disabled, shadow, reset" },
	{ "{\"t\":1,\"op\":\"force\",\"server\":\"a\",\"to\":\"shadow\",\"for\":0}",
	  "1:54: \"for\" is 0; it must be longer, or left out for no end" },
	{ "{\"t\":1,\"op\":\"force\",\"server\":\"a\",\"to\":\"reset\",\"for\":1}",
	  "1:47: a reset takes no \"for\": it is done at once" },
	{ "{\"t\":1,\"op\":\"force\",\"server\":\"a\",\"tool\":\"b\",\"to\":\"reset\"}",
	  "1:34: orders are for whole servers: leave \"tool\" out" },
	{ "{\"t\":1,\"op\":\"finding\",\"server\":\"a\",\"severity\":\"hig\"}",
	  "1:47: unknown \"severity\": \"hig\"; did you mean \"high\"?" },
	{ "{\"t\":1,\"op\":\"finding\",\"server\":\"a\",\"severity\":\"low\",\"confidence\":1.1}",
	  "1:66: \"confidence\" is out of range: 0 to 1" },
	{ "{\"t\":1,\"op\":\"finding\",\"server\":\"a\",\"severity\":\"low\",\"confidence\":\"1\"}",
	  "1:66: \"confidence\" is text; a number from 0 to 1 is expected" },
	{ "{\"t\":1,\"event\":3}", "1:16: \"event\" is a number; text is expected" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":\"a}\n", "1:30: the text has no closing quote" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":\"a\tb\"}",
	  "1:32: a control character: write it as an escape" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":\"\\x\"}",
	  "1:31: no such escape; a backslash is written \\\\" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":\"\\u12g4\"}",
	  "1:31: \\u takes four hexadecimal digits" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\":\"\xff\"}", "1:31: the text is not UTF-8" },
	{ "{\"t\":1,\"op\":\"admit\",\"server\"}", "1:29: a colon is expected behind the name" },
	{ "{\"t\":1,}", "1:8: a name in double quotes is expected" },
	{ "{\"t\":1 \"op\":2}", "1:8: a comma or the closing brace is expected" },
	{ "{\"t\":", "1:6: the line ends where a value is expected" },
	{ "{\"x\":[1,{\"y\":2]}", "1:15: a comma or the closing brace is expected" },
	{ "{\"x\":[1 2]}", "1:9: a comma or the closing bracket is expected" },
	{ "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
	  "1:38: nested deeper than 32" },
	/* columns count characters, lines everything */
	{ CALL(0) "\n{\"\xc3\xa9\":1,\"op\":1}", "3:13: \"op\" is a number; text is expected" },
	/* what the simulation itself refuses */
	{ CALL(1.5) CALL(1.4999999994),
	  "2:6: \"t\" goes back: the line before has 1.500000000; sort the lines by time" },
	{ START START, "2:39: a call of this id is running; end or cancel it first" },
	{ "{\"t\":0,\"op\":\"end\",\"server\":\"a\",\"id\":\"x\",\"outcome\":\"app\"}",
	  "1:37: no call of this id is running on this server" },
	{ START "{\"t\":0,\"op\":\"cancel\",\"server\":\"b\",\"id\":\"x\"}",
	  "2:40: no call of this id is running on this server" },
	{ START "{\"t\":0,\"op\":\"cancel\",\"server\":\"a\",\"id\":\"x\"}\n"
		"{\"t\":0,\"op\":\"end\",\"server\":\"a\",\"id\":\"x\",\"outcome\":\"hard\"}",
	  "3:37: no call of this id is running on this server" },
	/* recorded lines may be out of order by a second, not by more */
	{ "{\"t\":3,\"time\":\"\",\"op\":\"call\",\"server\":\"a\",\"outcome\":\"app\"}\n"
	  "{\"t\":1.9,\"time\":\"\",\"op\":\"call\",\"server\":\"a\",\"outcome\":\"app\"}",
	  "2:6: \"t\" goes back: the line before has 3.000000000; sort the lines by time" },
};

static char *const defaults[] = { (char *)(uintptr_t) "--policy", (char *)(uintptr_t) "policy.json",
				  (char *)(uintptr_t) "events.jsonl", NULL };

static void test_errors(void **state)
{
	char path[128];
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(error_cases); i++) {
		char expected[512];
		struct result *r;

		snprintf(path, sizeof(path), "%s/events.jsonl", scratch);
		spill(path, error_cases[i].events);
		r = simulate(scratch, NULL, defaults);
		snprintf(expected, sizeof(expected), "switchgear: events.jsonl:%s\n",
			 error_cases[i].message);
		if (strcmp(r->err, expected) || r->status != EXIT_FAILED) {
			print_error("%s\n-> %d, %snot %s", error_cases[i].events, r->status, r->err,
				    expected);
			wrong++;
		}
		free(r);
	}
	assert_int_equal(wrong, 0);
}

/* What came before the error is printed, and with --json the error too. */
static void test_output_before_an_error(void **state)
{
	char *words[] = { (char *)(uintptr_t) "--policy", (char *)(uintptr_t) "policy.json",
			  (char *)(uintptr_t) "--json", (char *)(uintptr_t) "-", NULL };
	struct result *r;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/events.jsonl", scratch);
	spill(path, CALL(0) CALL(1) "oops\n" CALL(2));
	r = simulate(scratch, path, words);
	assert_int_equal(r->status, EXIT_FAILED);
	assert_string_equal(
		r->out,
		"{\"t\":0.0,\"server\":\"a\",\"op\":\"call\",\"admitted\":true,\"state\":\"closed\"}\n"
		"{\"t\":1.0,\"server\":\"a\",\"op\":\"call\",\"admitted\":true,\"state\":\"closed\"}\n"
		"{\"error\":{\"code\":\"bad_event\",\"message\":\"stdin:3:1: one JSON object a line "
		"is expected: {\\\"t\\\":0.0,...}\",\"hint\":\"\"}}\n");
	free(r);
}

static void test_long_lines(void **state)
{
	char *events = malloc(400001);
	struct result *r;
	char path[128];

	(void)state;
	assert_non_null(events);
	snprintf(path, sizeof(path), "%s/events.jsonl", scratch);
	/* one with its end in the buffer, one that fills it, one as long as allowed */
	for (size_t len = 65537; len < 400000; len += 300000) {
		memset(events, ' ', len);
		memcpy(events, "{\"t\":1,", 7);
		events[len] = '\0';
		spill(path, events);
		r = simulate(scratch, NULL, defaults);
		assert_string_equal(r->err, "switchgear: events.jsonl:1:65537: the line is longer "
					    "than 65536 bytes\n");
		free(r);
	}
	memset(events, ' ', 65536);
	memcpy(events, CALL(1), strlen(CALL(1)) - 1);
	events[65536] = '\0';
	spill(path, events);
	r = simulate(scratch, NULL, defaults);
	assert_string_equal(r->err, "");
	assert_int_equal(r->status, EXIT_DONE);
	free(r);
	free(events);
}

static void test_names_are_bounded(void **state)
{
	char events[2048];
	struct result *r;
	char name[300];
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/events.jsonl", scratch);
	for (int extra = 0; extra < 2; extra++) {
		memset(name, 'n', sizeof(name));
		name[255 + extra] = '\0';
		/* the second time written with an escape */
		snprintf(events, sizeof(events),
			 "{\"t\":1,\"op\":\"start\",\"server\":\"%s\",\"id\":\"%s\"}\n"
			 "{\"t\":1,\"op\":\"start\",\"server\":\"\\u006e%s\",\"id\":\"2\"}\n",
			 name, extra ? "i" : name, name + 1);
		spill(path, events);
		r = simulate(scratch, NULL, defaults);
		assert_int_equal(r->status, extra ? EXIT_FAILED : EXIT_DONE);
		assert_string_equal(r->err, extra ? "switchgear: events.jsonl:1:30: \"server\" is "
						    "longer than 255 bytes\n"
						  : "");
		free(r);
	}
}

/* --- policies ---------------------------------------------------------------------- */

static const struct policy_case {
	const char *policy;
	const char *message; /* behind "switchgear: bad.json", one or more lines; NULL: good */
} policy_cases[] = {
	{ "{}", NULL },
	{ "// nothing\n{ \"breaker\": { \"min_calls\": 3, }, \"trust\": { \"prior\": 0.5 } }",
	  NULL },
	{ "{ \"open_seconds\": \"2m\" }", NULL },
	{ "[]", ":1:1: a policy is an object: { \"breaker\": { } }\n" },
	{ "{", ":1:1: " },
	{ "{\n \"failure_rates\": 0.5\n}",
	  ":2:2: failure_rates: unknown key; did you mean \"failure_rate\"?\n" },
	{ "{\"breaker\": {},\n \"min_calls\": 5}",
	  ":2:2: min_calls: unknown key; remove it, or see switchgear.json(5) for the keys\n" },
	{ "{\"breaker\": {\n \"slow_rate\": 0}}",
	  ":2:15: breaker.slow_rate: slow_rate is 0: it must be above 0 and at most 1\n" },
	{ "{\"failure_rate\": 1.5}",
	  ":1:18: failure_rate: failure_rate is 1.5: it must be above 0 and at most 1\n" },
	{ "{\"window_calls\": 5}",
	  ":1:1: window_calls is 5, less than min_calls 10: its rates would never be defined; "
	  "raise it, lower min_calls, or set it to 0 to turn it off\n" },
	{ "{\n \"breaker\": {\"window_seconds\": 0}}",
	  ":2:2: breaker: window_seconds is 0 and window_buckets is 10: give both, or 0 for both to "
	  "turn the time window off\n" },
	{ "{\"trust\": {\"priors\": 1}}",
	  ":1:12: trust.priors: unknown key; did you mean \"prior\"?\n" },
	{ "{\"trust\": {\n\"hard_weight\": 0.1}}",
	  ":2:16: trust.hard_weight: hard_weight is 0.1: it must be at least 0.5 and at most 100\n" },
	{ "{\"trust\": {\"dwell_seconds\": \"2d\"}}",
	  ":1:2: trust: dwell_seconds is 172800, more than dwell_max_seconds 86400: it must be at "
	  "most as much\n" },
	{ "{\"min_calls\": 5, \"min_calls\": 6}", ":1:18: " },
	{ "{\"min_calls\": \"many\",\n\"jitter\": 2}",
	  ":1:15: min_calls: this is text; a number is expected\n"
	  "switchgear: bad.json:2:11: jitter: jitter is 2: it must be at least 0 and below 1\n" },
};

static void test_policies(void **state)
{
	char *words[] = { (char *)(uintptr_t) "--policy", (char *)(uintptr_t) "bad.json",
			  (char *)(uintptr_t) "/dev/null", NULL };
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/bad.json", scratch);
	for (size_t i = 0; i < ARRAY_SIZE(policy_cases); i++) {
		const struct policy_case *c = &policy_cases[i];
		char expected[1024] = "";
		struct result *r;

		spill(path, c->policy);
		r = simulate(scratch, NULL, words);
		assert_int_equal(r->status, c->message ? EXIT_FAILED : EXIT_DONE);
		if (c->message)
			snprintf(expected, sizeof(expected), "switchgear: bad.json%s", c->message);
		/* messages of the JSON reader are its own business: only their place counts */
		if (c->message && !strchr(c->message, '\n'))
			r->err[strlen(expected)] = '\0';
		assert_string_equal(r->err, expected);
		free(r);
	}
}

static void test_files_that_are_not_there(void **state)
{
	char *words[] = { (char *)(uintptr_t) "--policy", (char *)(uintptr_t) "none.json", NULL,
			  NULL };
	struct result *r = simulate(scratch, "/dev/null", words);

	(void)state;
	assert_int_equal(r->status, EXIT_FAILED);
	assert_string_equal(r->err, "switchgear: cannot read the policy none.json: No such file or "
				    "directory\n");
	free(r);
	words[1] = (char *)(uintptr_t) "policy.json";
	words[2] = (char *)(uintptr_t) "none.jsonl";
	r = simulate(scratch, NULL, words);
	assert_int_equal(r->status, EXIT_FAILED);
	assert_string_equal(r->err,
			    "switchgear: cannot read none.jsonl: No such file or directory\n");
	free(r);
	words[0] = NULL;
	r = simulate(scratch, NULL, words);
	assert_int_equal(r->status, EXIT_USAGE);
	free(r);
}

/* --- the same again ------------------------------------------------------------------ */

static uint32_t next(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Calls of a few servers that fail in turns, some in flight, with jitter and ramp on. */
static void write_events(const char *path)
{
	static const char *const outcomes[] = { "success", "hard", "soft", "app" };
	FILE *file = fopen(path, "we");
	uint32_t x = 7;

	assert_non_null(file);
	for (unsigned int i = 0; i < 5000; i++) {
		unsigned int server = next(&x) % 5;
		bool failing = (i / 300 + server) % 3 == 0;
		unsigned int outcome = failing ? 1 + next(&x) % 2 : next(&x) % 8 ? 0 : 3;

		fprintf(file,
			"{\"t\":%u.%03u,\"op\":\"call\",\"server\":\"s%u\",\"tool\":\"t%u\","
			"\"outcome\":\"%s\",\"latency\":0.%u}\n",
			i / 4, i % 4 * 250, server, next(&x) % 3, outcomes[outcome],
			next(&x) % 100);
	}
	assert_int_equal(fclose(file), 0);
}

static void test_equal_seed_equal_output(void **state)
{
	char *words[] = { (char *)(uintptr_t) "--policy", (char *)(uintptr_t) "policy.json",
			  (char *)(uintptr_t) "--seed",   (char *)(uintptr_t) "5",
			  (char *)(uintptr_t) "-",        NULL };
	struct result *a;
	struct result *b;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/events.jsonl", scratch);
	write_events(path);
	a = simulate(scratch, path, words);
	b = simulate(scratch, path, words);
	assert_int_equal(a->status, EXIT_DONE);
	assert_non_null(strstr(a->out, "\"state\":\"ramp\""));
	assert_non_null(strstr(a->out, "\"reason\":\"half_open_failed\""));
	assert_string_equal(a->out, b->out);
	free(b);
	words[3] = (char *)(uintptr_t) "6";
	b = simulate(scratch, path, words);
	assert_string_not_equal(a->out, b->out);
	free(b);
	/* without --seed it is 1 */
	free(a);
	words[3] = (char *)(uintptr_t) "1";
	a = simulate(scratch, path, words);
	b = simulate(scratch, path, defaults);
	assert_string_equal(a->out, b->out);
	free(a);
	free(b);
}

static int setup(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(scratch))
		return -1;
	snprintf(path, sizeof(path), "%s/policy.json", scratch);
	spill(path, "{}");
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = { "policy.json", "events.jsonl", "bad.json" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", scratch, files[i]);
		unlink(path);
	}
	return rmdir(scratch);
}

int main(void)
{
	static struct CMUnitTest all[SCENARIOS_MAX + 16];
	const struct CMUnitTest others[] = {
		cmocka_unit_test_prestate(test_all_conformance_scenarios_are_there, all),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_output_before_an_error),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_names_are_bounded),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_files_that_are_not_there),
		cmocka_unit_test(test_equal_seed_equal_output),
	};
	size_t n;

	if (!realpath(SCENARIOS, scenarios))
		return 1;
	n = find_scenarios(all);
	memcpy(&all[n], others, sizeof(others));
	return _cmocka_run_group_tests("simulate", all, n + ARRAY_SIZE(others), setup, teardown);
}
