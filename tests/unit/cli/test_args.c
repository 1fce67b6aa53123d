/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "breaker.h"
#include "cli/command.h"

#define WORDS_MAX 10

static int parse(const char *const *words, struct args *ret, struct buf *why)
{
	char *argv[WORDS_MAX + 2] = { (char *)(uintptr_t) "switchgear" };

	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)words[i];
	return args_parse(cli_commands, n_cli_commands, argv, ret, why);
}

struct bad {
	const char *words[WORDS_MAX];
	const char *why; /* part of the complaint */
};

static const struct bad bad[] = {
	{ { "stauts" }, "no command \"stauts\": did you mean \"status\"?" },
	{ { "frobnicate" }, "no command \"frobnicate\"" },
	{ { "status", "x" }, "\"x\" is one word too many" },
	{ { "show" }, "show needs NAME" },
	{ { "show", "a", "b" }, "one word too many" },
	{ { "force", "a" }, "force needs NAME closed|shadow|disabled" },
	{ { "quarantine", "a" }, "needs --reason TEXT" },
	{ { "quarantine", "a", "--reason" }, "--reason needs a value" },
	{ { "quarantine", "a", "--reason", "" }, "not empty" },
	{ { "quarantine", "a", "--reason=" }, "not empty" },
	{ { "status", "--jsno" }, "status has no option \"--jsno\": did you mean \"--json\"?" },
	{ { "status", "--js" }, "has no option \"--js\"" },
	{ { "--sokcet", "x", "status" }, "did you mean \"--socket\"?" },
	{ { "status", "-x" }, "has no option \"-x\"" },
	{ { "status", "--json=1" }, "--json takes no value" },
	{ { "status", "--follow" }, "status has no option \"--follow\"" },
	{ { "--for", "5m", "status" }, "status has no option \"--for\"" },
	{ { "trip", "a", "--for", "soon" }, "\"soon\" is not a valid duration" },
	{ { "trip", "a", "--for", "0" }, "\"0\" is not a valid duration" },
	{ { "trip", "a", "--for", "-5" }, "is not a valid duration" },
	{ { "trip", "a", "--for" }, "--for needs a value: --for DUR" },
	{ { "events", "--since", "yesterday" }, "is not a valid duration" },
	{ { "--", "--json" }, "no command \"--json\"" },
};

static void suggests_nothing_hidden(void **state)
{
	static const char *const words[WORDS_MAX] = { "completo" };
	CLEANUP(buf_done) struct buf why = { 0 };
	struct args args;

	(void)state;
	why = BUF(1000);
	assert_int_equal(parse(words, &args, &why), -EINVAL);
	assert_string_equal(buf_str(&why), "there is no command \"completo\"");
}

static void complains_precisely(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct args args = { .operands = 99 };
		CLEANUP(buf_done) struct buf why = { 0 };

		why = BUF(1000);
		assert_int_equal(parse(bad[i].words, &args, &why), -EINVAL);
		if (!strstr(buf_str(&why), bad[i].why))
			print_error("row %zu: %s\n", i, buf_str(&why));
		assert_non_null(strstr(buf_str(&why), bad[i].why));
		assert_int_equal(args.operands, 99); /* untouched */
	}
}

#define PARSE(args, ...)                                                     \
	do {                                                                 \
		static const char *const words[WORDS_MAX] = { __VA_ARGS__ }; \
		CLEANUP(buf_done) struct buf why = { 0 };                    \
		why = BUF(1000);                                             \
		assert_int_equal(parse(words, args, &why), 0);               \
		assert_string_equal(buf_str(&why), "");                      \
	} while (0)

static void understands_options_anywhere(void **state)
{
	struct args a;

	(void)state;
	PARSE(&a, "status");
	assert_string_equal(a.command->name, "status");
	assert_false(a.json);
	assert_null(a.socket);
	assert_true(a.for_ns == SG_FOREVER);
	assert_true(a.since_ns == SINCE_ALL);
	PARSE(&a, "--socket", "/s", "--json", "quarantine", "--for=10m", "a", "--reason",
	      "why not");
	assert_string_equal(a.command->name, "quarantine");
	assert_string_equal(a.socket, "/s");
	assert_string_equal(a.operand[0], "a");
	assert_string_equal(a.reason, "why not");
	assert_true(a.json);
	assert_true(a.for_ns == 600000000000ULL);
	PARSE(&a, "events", "--follow", "--since", "1h", "--server=x", "--calls", "--pin-dir",
	      "/p");
	assert_true(a.follow && a.calls);
	assert_true(a.since_ns == 3600000000000ULL);
	assert_string_equal(a.server, "x");
	assert_string_equal(a.pin_dir, "/p");
	PARSE(&a, "show", "--", "--json");
	assert_string_equal(a.operand[0], "--json");
	assert_false(a.json);
	PARSE(&a, "show", "-");
	assert_string_equal(a.operand[0], "-");
	PARSE(&a, "quarantine", "a", "--reason", "--json");
	assert_string_equal(a.reason, "--json");
	assert_false(a.json);
}

static void help_and_version_demand_nothing(void **state)
{
	struct args a;

	(void)state;
	PARSE(&a, "--version");
	assert_true(a.version);
	assert_null(a.command);
	PARSE(&a, "quarantine", "--help");
	assert_true(a.help);
	assert_string_equal(a.command->name, "quarantine");
	PARSE(&a, "force", "-h");
	assert_true(a.help);
	PARSE(&a, NULL);
	assert_null(a.command);
}

static void table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		assert_non_null(args_options[i].name);
		assert_non_null(args_options[i].help);
		assert_true((args_options[i].kind == OPTION_FLAG) == !args_options[i].value);
	}
	for (size_t i = 0; i < n_cli_commands; i++) {
		const struct command *c = &cli_commands[i];

		assert_ptr_equal(args_find(cli_commands, n_cli_commands, c->name), c);
		assert_non_null(c->run);
		assert_non_null(c->operands);
		assert_true(c->least <= c->most && c->most <= OPERANDS_MAX);
		assert_int_equal(c->required & ~c->options, 0);
	}
	assert_null(args_find(cli_commands, n_cli_commands, "nothing"));
}

/* Run from the top of the source, as `make test` does. */
static bool mentions(const char *path, const char *before, const char *name)
{
	CLEANUP(fclosep) FILE *f = fopen(path, "re");
	CLEANUP(freep) char *text = calloc(1, 65536);
	char word[64];

	assert_non_null(text);
	if (!f)
		skip();
	assert_true(fread(text, 1, 65535, f) > 0);
	snprintf(word, sizeof(word), "%s%s", before, name);
	if (!strstr(text, word))
		print_error("%s: no %s\n", path, word);
	return strstr(text, word);
}

static void documents_know_every_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_cli_commands; i++) {
		if (cli_commands[i].hidden)
			continue;
		assert_true(mentions("man/switchgear.1", ".It Cm ", cli_commands[i].name));
		assert_true(mentions("dist/switchgear.bash", "", cli_commands[i].name));
	}
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		assert_true(mentions("man/switchgear.1", "Fl -", args_options[i].name));
		assert_true(mentions("dist/switchgear.bash", "--", args_options[i].name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complains_precisely),
		cmocka_unit_test(suggests_nothing_hidden),
		cmocka_unit_test(understands_options_anywhere),
		cmocka_unit_test(help_and_version_demand_nothing),
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(documents_know_every_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
