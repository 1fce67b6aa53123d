/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "unit/unit.h"

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	if (!strcmp(name, "API_KEY"))
		return "hush";
	return strcmp(name, "PORT") ? NULL : "3003";
}

static const struct config_env env = { lookup, NULL };

/* Parses; the messages are in *errors, which the caller frees. */
static int parse(const char *text, struct config **ret, struct buf *errors)
{
	*errors = BUF(1 << 16);
	return config_parse(text, strlen(text), "f.json", &env, ret, errors);
}

/* Parses what must be good without a warning. */
static struct config *good(const char *text)
{
	struct config *config = NULL;
	struct buf errors;

	assert_int_equal(parse(text, &config, &errors), 0);
	assert_string_equal(buf_str(&errors), "");
	buf_done(&errors);
	return config;
}

/* Whatever it warns of. */
static struct config *parsed(const char *text)
{
	struct config *config = NULL;
	struct buf errors;

	assert_int_equal(parse(text, &config, &errors), 0);
	buf_done(&errors);
	return config;
}

/* And with what is accepted and does nothing yet: one warning each, of `texts`. */
static struct config *good_but(const char *text, const char *const *texts)
{
	struct config *config = NULL;
	struct buf errors;
	size_t warnings = 0;
	size_t n = 0;

	assert_int_equal(parse(text, &config, &errors), 0);
	for (const char *at = buf_str(&errors); (at = strstr(at, ": warning: ")); at++)
		warnings++;
	for (; texts[n]; n++)
		assert_non_null(strstr(buf_str(&errors), texts[n]));
	assert_int_equal(warnings, n);
	buf_done(&errors);
	return config;
}

static void test_overview_example(void **state)
{
	static const char text[] =
		"{\n"
		"  \"mode\": \"enforce\", // or \"observe\"\n"
		"  \"defaults\": { \"breaker\": { }, \"trust\": { }, \"on_open\": \"refuse\" },\n"
		"  \"mcpServers\": {\n"
		"    \"search\": { \"url\": \"http://127.0.0.1:3001/mcp\", \"fallback\": [\"backup\"],\n"
		"      \"on_open\": \"fallback\",\n"
		"      \"breaker\": { \"consecutive_failures\": 7, \"open_seconds\": 40 } },\n"
		"    \"backup\": { \"url\": \"http://127.0.0.1:3002/mcp\" },\n"
		"    \"files\": { \"command\": \"npx\", \"args\": [\"-y\", \"server\", \"/srv\"] }\n"
		"  }\n"
		"}\n";
	struct config *c = good(text);
	const struct config_server *s;

	(void)state;
	assert_false(c->observe);
	assert_int_equal(c->n_servers, 3);
	assert_int_equal(c->limit_endpoints, SG_ENDPOINTS_DEFAULT);
	assert_int_equal(c->resolve_ns, 30 * NS_PER_SEC);
	assert_null(c->metrics);
	s = &c->servers[0];
	assert_string_equal(s->name, "search");
	assert_string_equal(s->url_shown, "http://127.0.0.1:3001/mcp");
	assert_string_equal(s->host, "127.0.0.1");
	assert_true(s->has_url && s->has_addr);
	assert_int_equal(s->port, 3001);
	assert_int_equal(s->line, 5);
	assert_int_equal(s->visibility, VISIBILITY_PLAINTEXT);
	assert_int_equal(s->on_open, ON_OPEN_FALLBACK);
	assert_string_equal(s->fallback.v[0], "backup");
	assert_int_equal(s->policy.consecutive_failures, 7);
	assert_double(s->policy.open_seconds, 40);
	assert_int_equal(s->deny_errno, ECONNREFUSED);
	s = config_find(c, "backup");
	assert_int_equal(s->on_open, ON_OPEN_REFUSE);
	assert_int_equal(s->policy.consecutive_failures, 5);
	assert_true(s->same_endpoint == CONFIG_UNIQUE);
	s = config_find(c, "files");
	assert_false(s->has_url);
	assert_string_equal(s->command_shown, "npx -y server /srv");
	assert_int_equal(s->visibility, VISIBILITY_NONE);
	assert_null(config_find(c, "none"));
	config_free(c);
}

static void test_every_key(void **state)
{
	static const char text[] =
		"{ \"$schema\": \"x\", \"inputs\": [], \"mode\": \"observe\", \"cgroup\": \"/sys/fs/cgroup/x\",\n"
		"  \"interfaces\": [\"eth0\", \"veth1\"], \"pin_dir\": \"/p\", \"socket\": \"/s\",\n"
		"  \"state_dir\": \"/d\", \"metrics\": \"off\", \"api_read\": \"group\", \"api_group\": \"ops\",\n"
		"  \"limits\": { \"endpoints\": 100, \"servers\": 2 }, \"resolve_seconds\": \"2m\",\n"
		"  \"isolation\": { \"allow\": [\"10.0.0.5\", \"192.0.2.0/24:514\"] },\n"
		"  \"mcpServers\": { \"a\": { \"httpUrl\": \"https://h:${PORT}/x?k=v\", \"group\": \"g\",\n"
		"    \"deny_errno\": 113, \"slow_seconds\": \"2s\", \"min_calls\": 3, \"retry_after\": false,\n"
		"    \"inspect_tls\": true, \"idempotent_tools\": [\"read\"], \"on_open\": \"stand_in\",\n"
		"    \"networks\": [\"10.0.0.0/8\", \"fd00::/8\"],\n"
		"    \"local\": { \"unit\": \"a.service\", \"cgroup\": \"/c\", \"listen\": \"127.0.0.1:1\",\n"
		"      \"container\": \"0123\" }, \"isolation\": { \"when\": \"asked\",\n"
		"      \"allow\": [\"fd00::/8\"] },\n"
		"    \"type\": \"http\", \"headers\": { \"Authorization\": \"secret\" }, \"env\": {}, \"cwd\": \"/\",\n"
		"    \"timeout\": 5, \"disabled\": false, \"autoApprove\": [], \"alwaysAllow\": [],\n"
		"    \"description\": \"d\", \"trust\": true, \"includeTools\": [], \"excludeTools\": [],\n"
		"    \"enabled\": true } },\n"
		"  \"defaults\": { \"breaker\": { \"min_calls\": 4, \"failure_rate\": 0.25 },\n"
		"    \"trust\": { \"prior\": 0.25, \"dwell_seconds\": \"20m\", \"auto_quarantine\": false } } }";
	static const char *const unbuilt[] = {
		"a: \"inspect_tls\" does nothing yet",
		"a: \"on_open\": \"stand_in\" does nothing for https", NULL
	};
	struct config *c = good_but(text, unbuilt);
	const struct config_server *s = &c->servers[0];

	(void)state;
	assert_true(c->observe && c->api_read_group);
	assert_double(c->trust.prior, 0.25);
	assert_double(c->trust.dwell_seconds, 1200);
	assert_double(c->trust.prior_weight, 2);
	assert_false(c->trust.auto_quarantine);
	assert_string_equal(c->cgroup, "/sys/fs/cgroup/x");
	assert_int_equal(c->interfaces.n, 2);
	assert_string_equal(c->interfaces.v[1], "veth1");
	assert_string_equal(c->pin_dir, "/p");
	assert_string_equal(c->socket, "/s");
	assert_string_equal(c->state_dir, "/d");
	assert_string_equal(c->metrics, "off");
	assert_string_equal(c->api_group, "ops");
	assert_int_equal(c->limit_endpoints, 100);
	assert_int_equal(c->resolve_ns, 120 * NS_PER_SEC);
	assert_string_equal(s->url_shown, "https://h:3003/x?***");
	assert_int_equal(s->port, 3003);
	assert_int_equal(s->visibility, VISIBILITY_METADATA);
	assert_string_equal(s->group, "g");
	assert_int_equal(s->deny_errno, EHOSTUNREACH);
	assert_double(s->policy.slow_seconds, 2);
	assert_int_equal(s->policy.min_calls, 3);
	assert_false(s->policy.retry_after);
	assert_double(s->policy.failure_rate, 0.25);
	assert_true(s->inspect_tls);
	assert_string_equal(s->idempotent_tools.v[0], "read");
	assert_int_equal(s->on_open, ON_OPEN_STAND_IN);
	assert_int_equal(s->n_networks, 2);
	assert_int_equal(s->networks[0].prefix, 104);
	assert_string_equal(s->networks[1].text, "fd00::/8");
	assert_int_equal(c->isolation.n_allow, 2);
	assert_int_equal(c->isolation.allow[0].prefix, 128);
	assert_int_equal(c->isolation.allow[0].port, 0);
	assert_int_equal(c->isolation.allow[1].prefix, 120);
	assert_int_equal(c->isolation.allow[1].port, 514);
	assert_int_equal(s->isolation.n_allow, 1);
	assert_true(s->isolation.asked && !c->isolation.asked);
	assert_string_equal(s->local_container, "0123");
	assert_string_equal(s->local_cgroup, "/c");
	assert_string_equal(s->local_unit, "a.service");
	assert_string_equal(s->local_listen, "127.0.0.1:1");
	config_free(c);
}

/* Of what may be a secret nothing is shown. */
static void test_unix_sockets(void **state)
{
	static const char *const shown[] = { "unix:///run/mcp.sock", "unix:///run/b.sock",
					     "unix:@mcp", "unix:///run/***",
					     "unix:///run/token/***" };
	static const char *const names[] = { "/run/mcp.sock", "/run/b.sock", "@mcp",
					     "/run/0123456789abcdef0", "/run/token/x" };
	char origin[CONFIG_ORIGIN_MAX];
	struct config *c = good("{\"mcpServers\":{\"a\":{\"url\":\"unix:/run/mcp.sock\"},"
				"\"b\":{\"url\":\"unix:///run/b.sock\"},"
				"\"c\":{\"url\":\"unix:@mcp\"},"
				"\"d\":{\"url\":\"unix:/run/0123456789abcdef0\"},"
				"\"e\":{\"url\":\"unix:/run/token/x\"}}}");

	(void)state;
	assert_int_equal(c->n_servers, ARRAY_SIZE(shown));
	for (size_t i = 0; i < c->n_servers; i++) {
		assert_string_equal(c->servers[i].url_shown, shown[i]);
		assert_int_equal(c->servers[i].visibility, VISIBILITY_NONE);
		assert_false(c->servers[i].has_url);
		assert_string_equal(c->servers[i].unix_name, names[i]);
		assert_true(c->servers[i].same_endpoint == CONFIG_UNIQUE);
		config_origin(&c->servers[i], origin, sizeof(origin));
		assert_string_equal(origin + strlen("unix:"), names[i]);
	}
	assert_int_equal(config_server_diff(&c->servers[0], &c->servers[2]) & CONFIG_DIFF_ENDPOINTS,
			 CONFIG_DIFF_ENDPOINTS);
	config_free(c);
}

static void test_disabled_and_bridges(void **state)
{
	struct config *c =
		good("{\"mcpServers\":{\"a\":{\"disabled\":true,\"url\":\"bogus\",\"x\":1},"
		     "\"b\":{\"enabled\":false},\"c\":{\"command\":\"npx\",\"args\":"
		     "[\"mcp-remote\",\"https://h/mcp?t=1\"]},"
		     "\"n\":{\"networks\":[\"192.0.2.0/24\"]}}}");

	(void)state;
	assert_int_equal(c->n_servers, 2);
	assert_string_equal(c->servers[0].host, "h");
	assert_string_equal(c->servers[0].command_shown, "npx mcp-remote https://h/mcp?***");
	assert_int_equal(c->servers[0].visibility, VISIBILITY_METADATA);
	assert_false(c->servers[1].has_url);
	config_free(c);
	c = good(
		"{\"defaults\":{\"on_open\":\"stand_in\"},\"mcpServers\":{\"a\":{\"url\":\"http://a/\","
		"\"fallback\":[\"b\"]},\"b\":{\"url\":\"http://b/\"}}}");
	assert_int_equal(c->servers[0].on_open, ON_OPEN_FALLBACK);
	assert_int_equal(c->servers[1].on_open, ON_OPEN_STAND_IN);
	config_free(c);
	c = good("{}");
	assert_int_equal(c->n_servers, 0);
	config_free(c);
	c = good("{\"cgroup\":\"auto\",\"mcpServers\":{}}");
	assert_null(c->cgroup);
	config_free(c);
}

/* Each text is wrong in one way; the message is exact up to where it stops here. */
static const struct {
	const char *text, *message;
} wrong[] = {
	{ "{\"mod\":1}", "f.json:1:2: mod: unknown key; did you mean \"mode\"?\n" },
	{ "{\"mode\":1}",
	  "f.json:1:9: mode: this is a number; text in double quotes is expected\n" },
	{ "{\"mode\":\"x\"}", "f.json:1:9: mode: \"x\" is none of \"enforce\", \"observe\"\n" },
	{ "[]", "f.json:1:1: a configuration is an object" },
	{ "{", "f.json:1:1: this { is never closed" },
	{ "{\"a\":1,\"a\":1}", "f.json:1:8: \"a\" is already given in line 1" },
	{ "{\"servers\":{}}", "f.json:1:2: servers: this client's key" },
	{ "{\"metrics\":\"9464\"}", "f.json:1:12: metrics: \"9464\" is not an address" },
	{ "{\"socket\":\"run/x\"}", "f.json:1:11: socket: not an absolute path" },
	{ "{\"socket\":\"\"}", "f.json:1:11: socket: not an absolute path" },
	{ "{\"api_group\":\"\"}", "f.json:1:14: api_group: empty" },
	{ "{\"interfaces\":[\"a/b\"]}", "f.json:1:16: interfaces[0]: \"a/b\" is not the name" },
	{ "{\"proxies\":\"http://p:1\"}", "f.json:1:12: proxies: this is text; a list" },
	{ "{\"proxies\":[\"http://p:1\",\"https://p:1\"]}",
	  "f.json:1:26: proxies[1]: this is no proxy whose connections can be watched; write" },
	{ "{\"proxies\":[\"socks5://p:1\"]}", "f.json:1:13: proxies[0]: " },
	{ "{\"interfaces\":\"a\"}", "f.json:1:15: interfaces: this is text; a list" },
	{ "{\"limits\":{\"servers\":0}}", "f.json:1:22: limits.servers: out of range; 1 to 1022" },
	{ "{\"limits\":{\"servers\":1},\"mcpServers\":{\"a\":{},\"b\":{}}}",
	  "f.json:1:25: mcpServers: 2 servers; at most 1" },
	{ "{\"limits\":{\"x\":0}}", "f.json:1:12: limits.x: unknown key" },
	{ "{\"resolve_seconds\":0}", "f.json:1:20: resolve_seconds: out of range; 1 s to" },
	{ "{\"resolve_seconds\":\"x\"}", "f.json:1:20: resolve_seconds: not a duration" },
	{ "{\"resolve_seconds\":[]}", "f.json:1:20: resolve_seconds: this is a list" },
	{ "{\"defaults\":{\"trust\":{\"priro\":1}}}",
	  "f.json:1:23: defaults.trust.priro: unknown key; did you mean \"prior\"?" },
	{ "{\"defaults\":{\"trust\":{\"prior\":\"1\"}}}",
	  "f.json:1:31: defaults.trust.prior: this is text; a number" },
	{ "{\"defaults\":{\"trust\":{\"prior\":2}}}",
	  "f.json:1:31: defaults.trust.prior: prior is 2: it must be at least 0 and at most 1" },
	{ "{\"defaults\":{\"trust\":{\"auto_quarantine\":1}}}",
	  "f.json:1:41: defaults.trust.auto_quarantine: this is a number; true or false" },
	{ "{\"defaults\":{\"trust\":{\"path_depth\":1.5}}}",
	  "f.json:1:36: defaults.trust.path_depth: path_depth is 1.5: it must be a whole number at "
	  "least 0 and at most 16" },
	{ "{\"defaults\":{\"trust\":{\"watch\":50}}}",
	  "f.json:1:14: defaults.trust: watch is 50, more than watch_return 43: it must be at most "
	  "as much" },
	{ "{\"defaults\":{\"breaker\":{\"half_open_max_seconds\":0}}}",
	  "f.json:1:49: defaults.breaker.half_open_max_seconds: half_open_max_seconds is 0" },
	{ "{\"defaults\":{\"breaker\":{\"retry_after\":1}}}",
	  "f.json:1:39: defaults.breaker.retry_after: this is a number; true or false" },
	{ "{\"defaults\":{\"breaker\":{\"min_calls\":1.5}}}",
	  "f.json:1:37: defaults.breaker.min_calls: min_calls is 1.5" },
	{ "{\"defaults\":{\"breaker\":{\"open_max_seconds\":1}}}",
	  "f.json:1:14: defaults.breaker: open_max_seconds is 1" },
	{ "{\"mcpServers\":[]}", "f.json:1:15: mcpServers: this is a list; an object" },
	{ "{\"mcpServers\":{\"a\":1}}", "f.json:1:20: mcpServers.a: this is a number" },
	{ "{\"mcpServers\":{\"\":{}}}", "f.json:1:16: mcpServers.\"\": empty" },
	{ "{\"mcpServers\":{\" a\":{}}}", "f.json:1:16: mcpServers.\" a\": a name must not begin" },
	{ "{\"mcpServers\":{\"a\\u202eb\":{}}}", "f.json:1:16: mcpServers.\"a\xe2\x80\xae"
						 "b\": invisible" },
	{ "{\"mcpServers\":{\"a\\nb\":{}}}", "f.json:1:16: mcpServers.\"a\\u000ab\": control" },
	{ "{\"mcpServers\":{\"a\":{}}}", "f.json:1:16: mcpServers.a: has neither" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"command\":\"x\"}}}",
	  "f.json:1:16: mcpServers.a: has both \"url\" and \"command\"" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"serverUrl\":\"http://h/\"}}}",
	  "f.json:1:39: mcpServers.a.serverUrl: a second URL beside \"url\"" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"ws://h/\"}}}",
	  "f.json:1:27: mcpServers.a.url: this scheme is not supported" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"unix:run/x.sock\"}}}",
	  "f.json:1:27: mcpServers.a.url: not a Unix socket" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"unix:/\"}}}",
	  "f.json:1:27: mcpServers.a.url: not a Unix socket" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"unix:/a\\nb\"}}}",
	  "f.json:1:27: mcpServers.a.url: control characters" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://${NOPE}/\"}}}",
	  "f.json:1:27: mcpServers.a.url: the variable NOPE is not set" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://${input:x}/\"}}}",
	  "f.json:1:27: mcpServers.a.url: \"input:x\" is not a variable" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\\u0000\"}}}",
	  "f.json:1:27: mcpServers.a.url: control characters" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"open_secnds\":1}}}",
	  "f.json:1:39: mcpServers.a.open_secnds: unknown key; did you mean \"open_seconds\"?" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\n\"breaker\":{\"open_secnds\":1}}}}",
	  "f.json:2:12: mcpServers.a.breaker.open_secnds: unknown key; did you mean \"open_seconds\"?" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"min_calls\":9,\"breaker\":{\"min_calls\":9}}}}",
	  "f.json:1:39: mcpServers.a.min_calls: given twice" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"open_seconds\":-1}}}",
	  "f.json:1:54: mcpServers.a.open_seconds: open_seconds is -1" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"open_max_seconds\":3}}}",
	  "f.json:1:16: mcpServers.a: open_max_seconds is 3" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"networks\":[\"10.0.0.1/8\"]}}}",
	  "f.json:1:51: mcpServers.a.networks[0]: \"10.0.0.1/8\" is not a network" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"deny_errno\":\"EINPROGRESS\"}}}",
	  "f.json:1:52: mcpServers.a.deny_errno: \"EINPROGRESS\" is none of" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"shared\":1}}}",
	  "f.json:1:48: mcpServers.a.shared: this is a number; true or false" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://10.0.0.1/\",\"shared\":true}}}",
	  "f.json:1:55: mcpServers.a.shared: needs a URL with the name of a host" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"networks\":[\"10.0.0.0/8\"],\"shared\":true}}}",
	  "f.json:1:74: mcpServers.a.shared: needs a URL with the name of a host" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"deny_errno\":11}}}",
	  "f.json:1:52: mcpServers.a.deny_errno: 11 cannot refuse" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"deny_errno\":0}}}",
	  "f.json:1:52: mcpServers.a.deny_errno: 0 cannot refuse" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"bridge\":\"mcp-remote\"}}}",
	  "f.json:1:48: mcpServers.a.bridge: not a bridge that is known here, with its version" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":{\"by\":\"trust\"}}}}",
	  "f.json:1:50: mcpServers.a.fallback: \"servers\" is missing or empty" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":{\"servers\":[\"b\"]}}}}",
	  "f.json:1:62: mcpServers.a.fallback.servers[0]: no enabled server is called" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":{\"by\":\"luck\"}}}}",
	  "f.json:1:56: mcpServers.a.fallback.by: " },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"on_open\":\"fallback\"}}}",
	  "f.json:1:49: mcpServers.a.on_open: \"fallback\" needs a list" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":\"b\"}}}",
	  "f.json:1:50: mcpServers.a.fallback: this is text; a list" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":[\"b\"]}}}",
	  "f.json:1:51: mcpServers.a.fallback[0]: no enabled server is called \"b\"" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":[\"a\"]}}}",
	  "f.json:1:51: mcpServers.a.fallback[0]: a server cannot be its own" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":[\"b\",\"b\"]},\"b\":{\"url\":\"http://i/\"}}}",
	  "f.json:1:55: mcpServers.a.fallback[1]: \"b\" is in the list already" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":[\"b\"]},\"b\":{\"url\":\"https://h/\"}}}",
	  "f.json:1:51: mcpServers.a.fallback[0]: \"b\" is https, and \"a\" http: agents" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"https://h/\",\"fallback\":[\"b\"]},\"b\":{\"url\":\"https://i/\"}}}",
	  "f.json:1:52: mcpServers.a.fallback[0]: \"b\" has another host name (i): its certificate" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":{\"servers\":[\"b\"],\"direct\":true}},\"b\":{\"url\":\"http://i/\"}}}",
	  "f.json:1:76: mcpServers.a.fallback.direct: without the relay, what agents send to \"a\"" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/x\",\"fallback\":{\"servers\":[\"b\"],\"direct\":true,\"share_authorization\":true}},\"b\":{\"url\":\"http://i/y\"}}}",
	  "f.json:1:63: mcpServers.a.fallback.servers[0]: \"direct\" leaves requests as they are, but" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":[\"b\"]},\"b\":{\"command\":\"x\"}}}",
	  "f.json:1:51: mcpServers.a.fallback[0]: \"b\" has no URL" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"local\":{\"listen\":\"x\"}}}}",
	  "f.json:1:47: mcpServers.a.local: \"listen\" must be" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"local\":{\"cgroup\":\"x\"}}}}",
	  "f.json:1:47: mcpServers.a.local: \"cgroup\" must begin with /" },
	{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"local\":{\"unit\":\"x/y\"}}}}",
	  "f.json:1:47: mcpServers.a.local: \"unit\" must be the name" },
	{ "{\"isolation\":{\"allow\":[\"10.0.0.1/8\"]},\"mcpServers\":{}}",
	  "f.json:1:24: isolation.allow[0]: \"10.0.0.1/8\" is neither" },
	{ "{\"isolation\":{\"allows\":[]},\"mcpServers\":{}}",
	  "f.json:1:15: isolation.allows: unknown key; did you mean \"allow\"?" },
	{ "{\"mcpServers\":{\"a\":{\"command\":\"npx\",\"args\":[1]}}}",
	  "f.json:1:45: mcpServers.a.args[0]: this is a number" },
	{ "{\"mcpServers\":{\"a\":{\"command\":\"npx\",\"args\":[\"mcp-remote\",\"http://:1/\"]}}}",
	  "f.json:1:44: mcpServers.a.args: the host is missing" },
};

static void test_allowed(void **state)
{
	static const struct {
		const char *text;
		unsigned int prefix; /* 0: it is none */
		uint16_t port;
	} texts[] = {
		{ "10.0.0.5", 128, 0 },       { "10.0.0.5:514", 128, 514 },
		{ "192.0.2.0/24", 120, 0 },   { "192.0.2.0/24:514", 120, 514 },
		{ "fd00::5", 128, 0 },        { "fd00::/8", 8, 0 },
		{ "[fd00::5]", 128, 0 },      { "[fd00::5]:514", 128, 514 },
		{ "[fd00::/8]:514", 8, 514 }, { "", 0, 0 },
		{ "log.example", 0, 0 },      { "10.0.0.5:", 0, 0 },
		{ "10.0.0.5:0", 0, 0 },       { "10.0.0.5:65536", 0, 0 },
		{ "10.0.0.5/8", 0, 0 },       { "[fd00::5", 0, 0 },
		{ "[fd00::5]514", 0, 0 },
	};
	struct config_allowed a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int r = config_parse_allowed(texts[i].text, &a);

		assert_int_equal(r, texts[i].prefix ? 0 : -EINVAL);
		if (r)
			continue;
		assert_int_equal(a.prefix, texts[i].prefix);
		assert_int_equal(a.port, texts[i].port);
	}
}

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct config *untouched = (struct config *)&wrong;
		struct config *config = untouched;
		struct buf errors;

		assert_int_equal(parse(wrong[i].text, &config, &errors), -EINVAL);
		assert_ptr_equal(config, untouched);
		if (strncmp(buf_str(&errors), wrong[i].message, strlen(wrong[i].message)))
			assert_string_equal(buf_str(&errors), wrong[i].message);
		buf_done(&errors);
	}
}

static size_t lines(const struct buf *b)
{
	size_t n = 0;

	for (const char *p = buf_str(b); *p; p++)
		n += *p == '\n';
	return n;
}

static void test_several_errors(void **state)
{
	struct config *config = NULL;
	struct buf errors, text;

	(void)state;
	assert_int_equal(
		parse("{\"mod\":1,\"metrics\":2,\"mcpServers\":{\"a\":{\"url\":\"x\",\"y\":1}}}",
		      &config, &errors),
		-EINVAL);
	assert_int_equal(lines(&errors), 4);
	buf_done(&errors);
	text = BUF(1 << 16);
	buf_puts(&text, "{\"z\":1");
	for (int i = 0; i < 100; i++)
		buf_printf(&text, ",\"z%d\":1", i);
	buf_puts(&text, "}");
	assert_int_equal(parse(buf_str(&text), &config, &errors), -EINVAL);
	assert_int_equal(lines(&errors), CONFIG_ERRORS_MAX + 1);
	assert_non_null(strstr(buf_str(&errors), "there are more errors"));
	buf_done(&errors);
	buf_done(&text);
}

static void test_limits(void **state)
{
	static char big[CONFIG_SIZE_MAX + 2];
	struct config *config = NULL;
	struct buf errors, text;

	(void)state;
	memset(big, ' ', sizeof(big) - 1);
	assert_int_equal(parse(big, &config, &errors), -EINVAL);
	assert_non_null(strstr(buf_str(&errors), "bytes; a configuration may have at most"));
	buf_done(&errors);

	text = BUF(1 << 20);
	buf_puts(&text, "{\"mcpServers\":{\"n\":{\"url\":\"http://h/\"}");
	for (unsigned int i = 1; i < CONFIG_SERVERS_MAX; i++)
		buf_printf(&text, ",\n\"n%u\":{\"url\":\"http://h%u/\"}", i, i);
	buf_puts(&text, "}}");
	config = good(buf_str(&text));
	assert_int_equal(config->n_servers, CONFIG_SERVERS_MAX);
	config_free(config);
	config = NULL;
	text.len -= 2;
	buf_puts(&text, ",\"more\":{\"url\":\"http://m/\"}}}");
	assert_int_equal(parse(buf_str(&text), &config, &errors), -EINVAL);
	assert_non_null(strstr(buf_str(&errors), "1023 servers; at most 1022"));
	buf_done(&errors);
	buf_done(&text);

	text = BUF(1000);
	buf_printf(&text, "{\"mcpServers\":{\"%064d\":{\"url\":\"http://h/\"}}}", 0);
	assert_int_equal(parse(buf_str(&text), &config, &errors), -EINVAL);
	assert_non_null(strstr(buf_str(&errors), "the name has 64 bytes; at most 63"));
	buf_done(&errors);
	buf_done(&text);
}

static void test_same_endpoint(void **state)
{
	struct config *c = NULL;
	struct buf errors;

	(void)state;
	assert_int_equal(
		parse("{\"mcpServers\":{\"a\":{\"url\":\"http://h/a\"},\"x\":{\"url\":\"http://i/\"},"
		      "\"b\":{\"url\":\"http://H:80/b\"},\"c\":{\"url\":\"http://h/c\"}}}",
		      &c, &errors),
		0);
	assert_int_equal(lines(&errors), 2);
	assert_non_null(strstr(buf_str(&errors),
			       "f.json:1:65: warning: mcpServers.b: has the same host "
			       "and port as \"a\""));
	assert_true(config_find(c, "a")->same_endpoint == CONFIG_UNIQUE);
	assert_true(config_find(c, "x")->same_endpoint == CONFIG_UNIQUE);
	assert_int_equal(config_find(c, "b")->same_endpoint, 0);
	assert_int_equal(config_find(c, "c")->same_endpoint, 0);
	buf_done(&errors);
	config_free(c);
}

static void test_diff(void **state)
{
	static const struct {
		const char *members;
		unsigned int diff;
	} rows[] = {
		{ "\"url\":\"http://h/a\",\"fallback\":[\"b\"]", 0 },
		{ "\"url\":\"http://h:81/a\",\"fallback\":[\"b\"]",
		  CONFIG_DIFF_ENDPOINTS | CONFIG_DIFF_SHOWN },
		{ "\"url\":\"http://h/b\",\"fallback\":[\"b\"]", CONFIG_DIFF_SHOWN },
		{ "\"url\":\"http://h/a\",\"fallback\":[\"b\"],\"networks\":[\"10.0.0.0/8\"]",
		  CONFIG_DIFF_ENDPOINTS },
		{ "\"url\":\"http://h/a\",\"fallback\":[\"b\"],\"min_calls\":2",
		  CONFIG_DIFF_POLICY },
		{ "\"url\":\"http://h/a\",\"fallback\":[\"b\"],\"deny_errno\":1",
		  CONFIG_DIFF_POLICY },
		{ "\"url\":\"http://h/a\",\"fallback\":[\"c\"]", CONFIG_DIFF_ROUTE },
		{ "\"url\":\"http://h/a\"", CONFIG_DIFF_ROUTE },
		{ "\"url\":\"http://h/a\",\"fallback\":[\"b\"],\"group\":\"g\"",
		  CONFIG_DIFF_ROUTE },
		{ "\"url\":\"http://h/a\",\"fallback\":[\"b\"],\"inspect_tls\":true",
		  CONFIG_DIFF_SHOWN },
		{ "\"command\":\"x\"",
		  CONFIG_DIFF_ENDPOINTS | CONFIG_DIFF_ROUTE | CONFIG_DIFF_SHOWN },
	};
	struct config *c[ARRAY_SIZE(rows)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf text;

		text = BUF(1000);
		buf_printf(&text,
			   "{\"mcpServers\":{\"a\":{%s},\"b\":{\"url\":\"http://b/\"},"
			   "\"c\":{\"url\":\"http://c/\"}}}",
			   rows[i].members);
		c[i] = parsed(buf_str(&text));
		buf_done(&text);
		assert_int_equal(config_server_diff(&c[0]->servers[0], &c[i]->servers[0]),
				 rows[i].diff);
		assert_int_equal(config_server_diff(&c[i]->servers[0], &c[0]->servers[0]),
				 rows[i].diff);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		config_free(c[i]);
}

static void test_diff_of_networks(void **state)
{
	static const char *const networks[] = { "10.0.0.0/8", "10.0.0.0/9", "11.0.0.0/8" };
	struct config *c[ARRAY_SIZE(networks)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		struct buf text;

		text = BUF(1000);
		buf_printf(&text, "{\"mcpServers\":{\"a\":{\"networks\":[\"%s\"]}}}", networks[i]);
		c[i] = parsed(buf_str(&text));
		buf_done(&text);
		assert_int_equal(config_server_diff(&c[0]->servers[0], &c[i]->servers[0]),
				 i ? CONFIG_DIFF_ENDPOINTS : 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
		config_free(c[i]);
}

/* Nothing of headers, env, queries or user information may be left anywhere. */
static void test_secrets_are_not_stored(void **state)
{
	struct config *c =
		good("{\"mcpServers\":{\"a\":{\"url\":\"http://u:hush@h/?k=hush\",\"headers\":"
		     "{\"A\":\"hush\"},\"env\":{\"B\":\"hush\"}},\"b\":{\"command\":\"npx\","
		     "\"args\":[\"--token\",\"hush\"],\"env\":{\"B\":\"hush\"}}}}");

	(void)state;
	assert_string_equal(c->servers[0].url_shown, "http://***@h/?***");
	assert_string_equal(c->servers[1].command_shown, "npx --token ***");
	config_free(c);
	c = good("{\"mcpServers\":{\"a\":{\"url\":\"http://h:${PORT}/${API_KEY}/x\"},"
		 "\"b\":{\"url\":\"http://${API_KEY}:${PORT}/x\"},"
		 "\"c\":{\"url\":\"http://i/0123456789abcdef/${PORT}\"},"
		 "\"d\":{\"command\":\"API_KEY=hush npx\",\"args\":[\"0123456789abcdef\"]}}}");
	assert_string_equal(c->servers[0].url_shown, "http://h:3003/***/x");
	assert_string_equal(c->servers[1].url_shown, "http://hush:3003/x"); /* it is the host */
	assert_string_equal(c->servers[2].url_shown, "http://i/***/3003");
	assert_string_equal(c->servers[3].command_shown, "API_KEY=*** ***");
	config_free(c);
}

/* Whatever a message quotes. */
static void test_secrets_are_not_complained_of(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "{\"mcpServers\":{\"a\":{\"networks\":[\"http://u:hush@h/0123456789abcdef/x?hush\"]}}}",
		  "\"http://***@h/***/x?***\" is not a network" },
		{ "{\"mcpServers\":{\"a\":{\"url\":\"http://h/\",\"fallback\":[\"http://h/?hush\"]}}}",
		  "no enabled server is called \"http://h/?***\"" },
		{ "{\"mcpServers\":{\"http://h/?k=hush\":{\"x\":1}}}", "http://h/?***" },
		{ "{\"mcpServers\":{\"a\":{\"url\":\"http://${HOST/?k=hush\"}}}",
		  "\"${HOST\" is not a variable" },
		{ "{\"mode\":\"https://h/token/hush\"}", "\"https://h/token/***\" is none of" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config *config = NULL;
		struct buf errors;

		assert_int_equal(parse(rows[i].text, &config, &errors), -EINVAL);
		if (!strstr(buf_str(&errors), rows[i].message))
			assert_string_equal(buf_str(&errors), rows[i].message);
		assert_null(strstr(buf_str(&errors), "hush"));
		buf_done(&errors);
	}
	config_free(good_but("{\"mcpServers\":{\"http://h/token/x\":{\"url\":\"http://h/\"}}}",
			     (const char *const[]){ "this name holds what looks like a secret",
						    NULL }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overview_example),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_unix_sockets),
		cmocka_unit_test(test_disabled_and_bridges),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_several_errors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_same_endpoint),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_of_networks),
		cmocka_unit_test(test_secrets_are_not_stored),
		cmocka_unit_test(test_secrets_are_not_complained_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
