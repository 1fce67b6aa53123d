/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/bridges.h"

#include <string.h>

#include "unit/unit.h"

#define ARGS_MAX 6
#define INSPECTOR "@modelcontextprotocol/inspector"

static void test_command_lines(void **state)
{
	static const struct {
		const char *words[ARGS_MAX]; /* the command first */
		const char *found;           /* NULL: nothing */
	} rows[] = {
		{ { "npx", "mcp-remote@0.1.10", "https://h/mcp" }, "mcp-remote 0.1.10" },
		{ { "/usr/bin/npx", "-y", "mcp-remote@0.1.15", "https://h" }, "mcp-remote 0.1.15" },
		{ { "npm", "exec", "--", "mcp-remote@v0.0.5" }, "mcp-remote v0.0.5" },
		{ { "pnpm", "dlx", "mcp-remote@0.1.10" }, "mcp-remote 0.1.10" },
		{ { "bunx", "mcp-remote@0.1.10" }, "mcp-remote 0.1.10" },
		{ { "npx", "--package=mcp-remote@0.1.10", "mcp-remote" }, "mcp-remote 0.1.10" },
		{ { "npx", "-p", "mcp-remote@0.1.10", "mcp-remote" }, "mcp-remote 0.1.10" },
		{ { "npx", "x@npm:mcp-remote@0.1.10" }, "mcp-remote 0.1.10" },
		{ { "cmd", "/c", "npx -y mcp-remote@0.1.10 https://h" }, "mcp-remote 0.1.10" },
		{ { "sh", "-c", "exec npx 'mcp-remote@0.1.10' x" }, "mcp-remote 0.1.10" },
		{ { "npx mcp-remote@0.1.10" }, "mcp-remote 0.1.10" },
		{ { "node",
		    "/p/node_modules/.pnpm/mcp-remote@0.1.10/node_modules/mcp-remote/dist/p.js" },
		  "mcp-remote 0.1.10" },
		{ { "node",
		    "/p/.pnpm/mcp-remote@0.1.10_x@1.0.0/node_modules/mcp-remote/dist/p.js" },
		  "mcp-remote 0.1.10" },
		{ { "npx", INSPECTOR "@0.14.0", "node", "s.js" }, INSPECTOR " 0.14.0" },
		{ { "node", "/p/.pnpm/@modelcontextprotocol+inspector@0.14.0/x.js" },
		  INSPECTOR " 0.14.0" },
		{ { "npx", "mcp-remote@0.1.16-beta.1" }, "mcp-remote 0.1.16-beta.1" },
		/* nobody says which version that is */
		{ { "npx", "mcp-remote", "https://h" }, NULL },
		{ { "npx", "-y", "mcp-remote@latest" }, NULL },
		{ { "npx", "mcp-remote@^0.1.10" }, NULL },
		{ { "npx", "mcp-remote@0.1" }, NULL },
		{ { "npx", "mcp-remote@" }, NULL },
		{ { "/usr/lib/node_modules/mcp-remote/dist/proxy.js", "https://h" }, NULL },
		/* others */
		{ { "npx", "@other/mcp-remote@0.1.10" }, NULL },
		{ { "npx", "my-mcp-remote@0.1.10" }, NULL },
		{ { "npx", "mcp-remote-x@0.1.10" }, NULL },
		{ { "npx", "inspector@0.1.10" }, NULL },
		{ { "npx", "server", "https://h/mcp-remote@0.1.10" }, NULL },
		{ { "" }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const *words = rows[i].words;
		struct bridge b;
		char text[128] = "";
		size_t n = 0;

		while (n + 1 < ARGS_MAX && words[n + 1])
			n++;
		if (bridge_find(words[0], words + 1, n, &b))
			snprintf(text, sizeof(text), "%s %s", b.package, b.version);
		assert_string_equal(text, rows[i].found ? rows[i].found : "");
	}
}

static const char *flaws_of(const char *spec)
{
	static char text[128];
	const struct bridge_flaw *flaw = NULL;
	struct bridge b;

	text[0] = '\0';
	if (!bridge_parse(spec, &b))
		return "no bridge";
	while ((flaw = bridge_flaw_next(&b, flaw)))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", flaw->rule);
	return text;
}

static void test_ranges(void **state)
{
	(void)state;
	assert_string_equal(flaws_of("mcp-remote@0.0.4"), "");
	assert_string_equal(flaws_of("mcp-remote@0.0.5-rc.1"), "");
	assert_string_equal(flaws_of("mcp-remote@0.0.5"), "CVE-2025-6514 ");
	assert_string_equal(flaws_of("mcp-remote@0.1.15"), "CVE-2025-6514 ");
	assert_string_equal(flaws_of("mcp-remote@0.1.16"), "");
	assert_string_equal(flaws_of("mcp-remote@0.15.1"), "");
	assert_string_equal(flaws_of(INSPECTOR "@0.1.0"), "CVE-2025-49596 CVE-2025-58444 ");
	assert_string_equal(flaws_of(INSPECTOR "@0.14.0"), "CVE-2025-49596 CVE-2025-58444 ");
	assert_string_equal(flaws_of(INSPECTOR "@0.14.1"), "CVE-2025-58444 ");
	assert_string_equal(flaws_of(INSPECTOR "@0.16.5"), "CVE-2025-58444 ");
	assert_string_equal(flaws_of(INSPECTOR "@0.16.6"), "");
	assert_string_equal(flaws_of("mcp-remote"), "no bridge");
	assert_string_equal(flaws_of("mcp-remote@latest"), "no bridge");
	assert_string_equal(flaws_of("mcp-remote@0.1.1/x"), "no bridge");
	assert_string_equal(flaws_of("x@0.1.1"), "no bridge");
	assert_string_equal(flaws_of("npx mcp-remote@0.1.1"), "no bridge");
}

static void test_finding(void **state)
{
	const struct bridge_flaw *flaw;
	struct finding f;
	struct bridge b;

	(void)state;
	assert_true(bridge_parse("mcp-remote@0.1.10", &b));
	flaw = bridge_flaw_next(&b, NULL);
	assert_int_equal(bridge_finding(&b, flaw, "wiki", &f), 0);
	assert_string_equal(f.source, "switchgear (bridges)");
	assert_string_equal(f.rule, "CVE-2025-6514");
	assert_string_equal(f.server.name, "wiki");
	assert_string_equal(f.location, "mcp-remote");
	assert_non_null(strstr(f.message, "mcp-remote 0.1.10 has CVE-2025-6514"));
	assert_non_null(strstr(f.message, "use 0.1.16 or later"));
	assert_int_equal(f.severity, FINDING_CRITICAL);
	assert_true(f.confidence < 0.7);
	finding_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
