/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From configurations to servers in the kernel's maps, and what modules hear of it. */
#include "daemon/servers.h"
#include "modules/modules.h"

#include <errno.h>
#include <string.h>

#include "fake/rig.h"

#define A "\"a\":{\"url\":\"http://127.0.0.1:1/mcp\"}"
#define A_POLICY "\"a\":{\"url\":\"http://127.0.0.1:1/mcp\",\"consecutive_failures\":9}"
#define A_MOVED "\"a\":{\"url\":\"http://127.0.0.1:7/mcp\"}"
#define A_NAME "\"a\":{\"url\":\"http://a.example/mcp\"}"
#define A_COVERED "\"again\":{\"url\":\"http://127.0.0.1:1/other\"}"
#define B "\"b\":{\"url\":\"http://127.0.0.1:2/mcp\"}"
#define C "\"c\":{\"networks\":[\"10.0.0.0/8\",\"fd00::/16\"]}"
#define FILES "\"files\":{\"command\":\"npx\"}"
#define FILES_NET "\"files\":{\"command\":\"npx\",\"networks\":[\"10.1.0.0/16\"]}"
#define SERVERS(...) "{\"mcpServers\":{" __VA_ARGS__ "}}"
#define OPEN_NS (30 * NS_PER_SEC)

static struct {
	char trail[2048];
	int added_error;
	int ready_error;
	int changed_error;
	const struct state *state; /* to be loaded */
	bool pinned;               /* of the latest server_added */
	bool had_old;
	unsigned int diff;
	size_t made; /* servers' memories that are in use */
} seen;

struct memory {
	bool used;
};

static void say(const char *word, const char *name)
{
	size_t len = strlen(seen.trail);

	snprintf(seen.trail + len, sizeof(seen.trail) - len, "%s:%s ", word, name);
}

static int first_added(void *m, struct server *s, const struct server_start *start)
{
	struct memory *memory = module_server(m, s);

	say("added", s->config->name);
	assert_false(memory->used);
	memory->used = true;
	seen.made++;
	seen.pinned = start->pinned;
	seen.had_old = start->old != NULL;
	s->wanted.next_open_ns = OPEN_NS;
	return seen.added_error;
}

static int first_ready(void *m, struct server *s, const struct server_start *start)
{
	(void)m;
	(void)start;
	say("ready", s->config->name);
	return seen.ready_error;
}

static int first_changed(void *m, struct server *s, unsigned int diff)
{
	const struct memory *memory = module_server(m, s);

	assert_true(memory->used);
	say("changed", s->config->name);
	seen.diff = diff;
	return seen.changed_error;
}

static void first_removed(void *m, struct server *s)
{
	struct memory *memory = module_server(m, s);

	say("removed", s->config->name);
	assert_true(memory->used);
	memory->used = false;
	seen.made--;
}

static void first_forgotten(void *m, uint32_t id)
{
	char text[16];

	(void)m;
	snprintf(text, sizeof(text), "%u", id);
	say("forgotten", text);
}

static void first_applied(void *m, const struct config *config)
{
	const struct part *part = m;

	assert_ptr_equal(config, servers_config(part->d->servers));
	say("applied", config->n_servers ? config->servers[0].name : "");
}

static void first_load(void *m, struct state *ret, struct state_clock *now)
{
	const struct state *from = seen.state;

	(void)m;
	snprintf(now->boot_id, sizeof(now->boot_id), "now");
	if (!from)
		return;
	*ret = *from;
	ret->servers = calloc(from->n_servers, sizeof(*ret->servers));
	assert_non_null(ret->servers);
	memcpy(ret->servers, from->servers, from->n_servers * sizeof(*ret->servers));
}

static void second_removed(void *m, struct server *s)
{
	(void)m;
	say("second-removed", s->config->name);
}

static void second_signal(void *m, const struct signal *signal)
{
	(void)m;
	say(signal->type == SIGNAL_ADDRS ? "addrs" : "applied-signal",
	    signal->server ? signal->server->config->name : "");
}

static const struct module first_module = { .name = "first",
					    .server_size = sizeof(struct memory),
					    .server_added = first_added,
					    .server_ready = first_ready,
					    .server_changed = first_changed,
					    .server_removed = first_removed,
					    .id_forgotten = first_forgotten,
					    .applied = first_applied,
					    .load = first_load };
static const struct module second_module = { .name = "second",
					     .server_removed = second_removed,
					     .on_signal = second_signal };

static const struct module *const modules[] = { &kernel_module, &first_module, &second_module };
static const struct subscription table[] = {
	{ SIGNAL_ADDRS, { &second_module } },
	{ SIGNAL_APPLIED, { &second_module } },
};

static struct rig rig;

static int setup(void **state)
{
	static const struct rig_parts parts = { modules, ARRAY_SIZE(modules), table,
						ARRAY_SIZE(table) };

	(void)state;
	memset(&seen, 0, sizeof(seen));
	rig_make(&rig, &parts);
	assert_int_equal(rig_begin(&rig), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	assert_int_equal(seen.made, 0);
	return 0;
}

static const char *apply(const char *config)
{
	seen.trail[0] = '\0';
	fake_forget_calls(rig.d.dp);
	rig_reload(&rig, config);
	return seen.trail;
}

static struct fake_server *kernel(const char *name)
{
	uint32_t id = fake_id(rig.d.dp, name);

	assert_int_not_equal(id, 0);
	return &rig.d.dp->servers[id];
}

/* --- one configuration -------------------------------------------------------------------- */

static void test_apply(void **state)
{
	(void)state;
	assert_string_equal(apply(SERVERS(A "," C "," FILES)),
			    "added:a ready:a added:c ready:c applied:a applied-signal: ");
	assert_int_equal(servers_n(rig.d.servers), 3);
	assert_int_equal(rig_server(&rig, "a")->id, SG_RESERVED);
	assert_int_equal(rig_server(&rig, "c")->id, SG_RESERVED + 1);
	assert_int_equal(rig_server(&rig, "files")->id, 0);
	assert_false(server_watched(rig_server(&rig, "files")));
	assert_ptr_equal(servers_by_id(rig.d.servers, SG_RESERVED), rig_server(&rig, "a"));
	assert_null(servers_by_id(rig.d.servers, 0));
	assert_null(servers_by_id(rig.d.servers, SG_RESERVED + 2));
	assert_null(servers_by_id(rig.d.servers, SG_SERVERS_MAX));
	assert_null(servers_by_name(rig.d.servers, "nobody"));
	assert_ptr_equal(servers_first(rig.d.servers)->next, rig_server(&rig, "c"));
	assert_int_equal(kernel("a")->n_addrs, 1);
	assert_int_equal(kernel("a")->ports[0], 1);
	assert_int_equal(kernel("a")->kernel.flags, SG_SRV_USED);
	assert_int_equal(kernel("a")->kernel.policy.consecutive, 5);
	assert_int_equal(kernel("a")->kernel.breaker.may_trip, 1);
	assert_int_equal(kernel("a")->kernel.breaker.next_open_ns, OPEN_NS);
	assert_int_equal(kernel("c")->n_addrs, 0);
	assert_int_equal(kernel("c")->n_networks, 2);
	assert_false(seen.pinned);
	assert_string_equal(servers_error(rig.d.servers), "");
}

static void test_covered(void **state)
{
	struct server *covered;

	(void)state;
	apply(SERVERS(A "," A_COVERED));
	covered = rig_server(&rig, "again");
	assert_int_equal(covered->id, 0);
	assert_ptr_equal(covered->covered_by, rig_server(&rig, "a"));
	assert_false(server_watched(covered));
	assert_null(rig_server(&rig, "a")->covered_by);
	/* whoever is first in the file has the breaker */
	assert_string_equal(apply(SERVERS(A_COVERED "," A)),
			    "added:again ready:again second-removed:a removed:a "
			    "applied:again forgotten:2 applied-signal: ");
	assert_ptr_equal(rig_server(&rig, "a")->covered_by, rig_server(&rig, "again"));
	assert_null(rig_server(&rig, "again")->covered_by);
	assert_int_equal(fake_id(rig.d.dp, "a"), 0);
	/* alone again */
	apply(SERVERS(A));
	assert_true(server_watched(rig_server(&rig, "a")));
}

/* --- reloads ------------------------------------------------------------------------------- */

static void test_nothing_changed(void **state)
{
	struct server *a;

	(void)state;
	apply(SERVERS(A "," B));
	a = rig_server(&rig, "a");
	assert_string_equal(apply(SERVERS(B "," A)),
			    "changed:b changed:a applied:b applied-signal: ");
	assert_int_equal(seen.diff, 0);
	assert_ptr_equal(rig_server(&rig, "a"), a);
	assert_ptr_equal(servers_first(rig.d.servers)->next, a);
	assert_int_equal(a->id, SG_RESERVED);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 0);
	assert_int_equal(fake_called(rig.d.dp, FAKE_ENDPOINTS_SET, 0), 0);
}

static void test_added_and_removed(void **state)
{
	(void)state;
	apply(SERVERS(A "," B));
	assert_string_equal(apply(SERVERS(A)), "changed:a second-removed:b removed:b applied:a "
					       "forgotten:3 applied-signal: ");
	assert_int_equal(fake_id(rig.d.dp, "b"), 0);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_FORGET, SG_RESERVED + 1), 1);
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_FORGET_SERVER, SG_RESERVED + 1), 1);
	assert_int_equal(fake_log_said("\"b\" is no longer configured: released"), 1);
	assert_null(servers_by_id(rig.d.servers, SG_RESERVED + 1));
	/* the id is free again */
	assert_string_equal(apply(SERVERS(A "," C)),
			    "changed:a added:c ready:c applied:a applied-signal: ");
	assert_int_equal(rig_server(&rig, "c")->id, SG_RESERVED + 1);
	apply("{\"mcpServers\":{}}");
	assert_int_equal(servers_n(rig.d.servers), 0);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_FORGET, 0), 2);
}

static void test_changed(void **state)
{
	(void)state;
	apply(SERVERS(A));
	fake_failures(rig.d.dp, SG_RESERVED, 3);
	apply(SERVERS(A_POLICY));
	assert_int_equal(seen.diff, CONFIG_DIFF_POLICY);
	assert_int_equal(kernel("a")->kernel.policy.consecutive, 9);
	assert_int_equal(kernel("a")->kernel.breaker.streak, 3);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 1);
	assert_int_equal(fake_called(rig.d.dp, FAKE_ENDPOINTS_SET, 0), 0);
	apply(SERVERS(A_MOVED));
	assert_int_equal(seen.diff & CONFIG_DIFF_ENDPOINTS, CONFIG_DIFF_ENDPOINTS);
	assert_int_equal(kernel("a")->ports[0], 7);
	assert_int_equal(kernel("a")->kernel.breaker.streak, 3);
}

static void test_renamed(void **state)
{
	(void)state;
	apply(SERVERS(A));
	fake_failures(rig.d.dp, SG_RESERVED, 3);
	/* at the same origin it is the same server, whatever its name and path */
	assert_string_equal(apply(SERVERS("\"z\":{\"url\":\"http://127.0.0.1:1/other\"}")),
			    "changed:z applied:z applied-signal: ");
	assert_int_equal(rig_server(&rig, "z")->id, SG_RESERVED);
	assert_int_equal(kernel("z")->kernel.breaker.streak, 3);
	assert_string_equal(servers_report(rig.d.servers), "changed z");
	/* elsewhere it is another one; whoever comes is there before whoever goes is gone */
	assert_string_equal(apply(SERVERS("\"y\":{\"url\":\"http://127.0.0.1:9/mcp\"}")),
			    "added:y ready:y second-removed:z removed:z applied:y forgotten:2 "
			    "applied-signal: ");
	assert_int_equal(kernel("y")->kernel.breaker.streak, 0);
	assert_string_equal(servers_report(rig.d.servers), "added y; removed z");
}

static void test_watched_from_now_on(void **state)
{
	(void)state;
	apply(SERVERS(FILES));
	assert_string_equal(apply(SERVERS(FILES)), "applied:files applied-signal: ");
	assert_string_equal(apply(SERVERS(FILES_NET)),
			    "added:files ready:files applied:files applied-signal: ");
	assert_int_equal(kernel("files")->n_networks, 1);
	assert_string_equal(apply(SERVERS(FILES)), "second-removed:files removed:files "
						   "applied:files forgotten:2 applied-signal: ");
}

#define A_UNIX "\"a\":{\"url\":\"unix:/run/a.sock\"}"

/* It stays the same server, and is never half-open where nobody sees how a probe ends. */
static void test_moved_to_a_unix_socket(void **state)
{
	(void)state;
	apply(SERVERS(A));
	fake_order(rig.d.dp, SG_RESERVED, SG_HALF_OPEN, 0);
	rig_server(&rig, "a")->breaker.state = kernel("a")->kernel.breaker.state = SG_HALF_OPEN;
	assert_string_equal(apply(SERVERS(A_UNIX)), "changed:a applied:a applied-signal: ");
	assert_int_equal(rig_server(&rig, "a")->id, SG_RESERVED);
	assert_string_equal(kernel("a")->unix_name, "/run/a.sock");
	assert_int_equal(kernel("a")->n_addrs, 0);
	assert_int_equal(kernel("a")->kernel.policy.probes, 0);
	assert_int_equal(kernel("a")->kernel.breaker.state, SG_CLOSED);
	assert_true(rig.d.dp->unix_begun);
	apply(SERVERS("\"z\":{\"url\":\"unix:///run/a.sock\"}"));
	assert_int_equal(rig_server(&rig, "z")->id, SG_RESERVED); /* the same origin */
	apply(SERVERS("\"z\":{\"url\":\"unix:@a\"}"));
	assert_string_equal(kernel("z")->unix_name, "@a");
	apply(SERVERS(A));
	assert_string_equal(kernel("a")->unix_name, "");
	assert_int_equal(kernel("a")->n_addrs, 1);
	assert_int_not_equal(kernel("a")->kernel.policy.probes, 0);
	apply(SERVERS(A_UNIX));
	apply(SERVERS(A));
	assert_string_equal(kernel("a")->unix_name, "");
	assert_int_equal(kernel("a")->n_addrs, 1);
	assert_int_not_equal(kernel("a")->kernel.policy.probes, 0);
	assert_false(rig.d.dp->unix_begun);
}

static void test_unix_sockets_that_are_not_seen(void **state)
{
	(void)state;
	rig.d.dp->unix_refused = true;
	apply(SERVERS(A));
	assert_string_equal(apply(SERVERS(A_UNIX ",\"b\":{\"url\":\"unix:/run/a.sock\"}")),
			    "second-removed:a removed:a applied:a forgotten:2 applied-signal: ");
	assert_int_equal(rig_server(&rig, "a")->id, SG_CANARY);
	assert_null(rig_server(&rig, "b")->covered_by);
	/* to its networks it is watched all the same */
	apply(SERVERS("\"a\":{\"url\":\"unix:/run/a.sock\",\"networks\":[\"10.0.0.0/8\"]}"));
	assert_int_equal(kernel("a")->n_networks, 1);
	assert_string_equal(kernel("a")->unix_name, "");
	assert_int_not_equal(kernel("a")->kernel.policy.probes, 0);
}

static void test_one_unix_socket_for_two(void **state)
{
	(void)state;
	apply(SERVERS(A_UNIX ",\"b\":{\"url\":\"unix:/run/a.sock\"}"));
	assert_ptr_equal(rig_server(&rig, "b")->covered_by, rig_server(&rig, "a"));
	assert_int_equal(rig_server(&rig, "b")->id, SG_CANARY);
}

/* --- takeover and restart --------------------------------------------------------------------- */

/* A name that is not resolved yet keeps the endpoints that the kernel knows from before. */
static void test_pinned_endpoints_stay(void **state)
{
	static const struct addr addr = { { [10] = 0xff, 0xff, 127, 0, 0, 9 } };

	(void)state;
	apply(SERVERS(A_NAME "," B));
	assert_false(rig_server(&rig, "a")->resolved);
	assert_int_equal(kernel("a")->n_addrs, 0);
	assert_int_equal(fake_called(rig.d.dp, FAKE_ENDPOINTS_SET, SG_RESERVED), 1);
	assert_int_equal(server_set_addrs(rig_server(&rig, "a"), &addr, 1), 0);
	assert_true(rig_server(&rig, "a")->resolved);
	seen.trail[0] = '\0';
	rig_pass(&rig);
	assert_string_equal(seen.trail, "addrs:a ");
	fake_order(rig.d.dp, SG_RESERVED, SG_FORCED_OPEN, SG_FOREVER);
	fake_forget_calls(rig.d.dp);
	seen.trail[0] = '\0';
	rig_restart(&rig, SERVERS(A_NAME "," B));
	assert_true(seen.pinned);
	assert_int_equal(kernel("a")->n_addrs, 1);
	assert_int_equal(fake_called(rig.d.dp, FAKE_ENDPOINTS_SET, SG_RESERVED), 0);
	assert_int_equal(fake_called(rig.d.dp, FAKE_ENDPOINTS_SET, SG_RESERVED + 1), 1);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_RESTORE, 0), 0);
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_FORCED_OPEN);
	assert_int_equal(rig_server(&rig, "a")->seq, 1);
	/* a reload that leaves the name alone does, too; one that changes it asks first */
	apply(SERVERS(A_NAME "," B));
	assert_int_equal(kernel("a")->n_addrs, 1);
	apply(SERVERS("\"a\":{\"url\":\"http://other.example/mcp\"}," B));
	assert_false(rig_server(&rig, "a")->resolved);
	assert_int_equal(kernel("a")->n_addrs, 1);
}

static void test_takeover_frees_ids(void **state)
{
	(void)state;
	apply(SERVERS(A "," B "," C));
	rig_end(&rig);
	seen.trail[0] = '\0';
	rig_start(&rig, SERVERS(C));
	assert_string_equal(seen.trail, "added:c ready:c applied:c forgotten:2 forgotten:3 "
					"applied-signal: ");
	assert_int_equal(rig_server(&rig, "c")->id, SG_RESERVED + 2);
	assert_int_equal(fake_id(rig.d.dp, "a"), 0);
}

static void test_restored(void **state)
{
	struct state_server old = { .name = "a",
				    .state = SG_OPEN,
				    .age_ns = 5 * NS_PER_SEC,
				    .remaining_ns = 20 * NS_PER_SEC,
				    .this_open_ns = OPEN_NS,
				    .next_open_ns = 2 * OPEN_NS,
				    .generation = 6 };
	const struct state disk = { .saved = { .boot_ns = 5,
					       .wall_ns = clock_wall_ns() - 4 * NS_PER_SEC,
					       .boot_id = "before" },
				    .servers = &old,
				    .n_servers = 1 };

	(void)state;
	seen.state = &disk;
	apply(SERVERS(A "," B));
	assert_false(seen.had_old);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_RESTORE, 0), 1);
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_OPEN);
	assert_int_equal(rig_server(&rig, "a")->breaker.deadline_ns - clock_boot_ns(),
			 16 * NS_PER_SEC);
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_CLOSED);
	/* the kernel knows better than the disk */
	fake_order(rig.d.dp, SG_RESERVED, SG_DISABLED, SG_FOREVER);
	rig_restart(&rig, SERVERS(B "," A));
	assert_true(seen.had_old);
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_DISABLED);
}

/* --- errors -------------------------------------------------------------------------------------- */

/* Each of them, and the server is listed; the daemon goes on, and a reload mends it. */
static void test_errors(void **state)
{
	static const enum fake_fn fns[] = {
		FAKE_SERVER_FIND, FAKE_SERVER_NEW,    FAKE_SERVER_SET,
		FAKE_COMMAND,     FAKE_ENDPOINTS_SET, FAKE_NETWORKS_SET
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fns); i++) {
		fake_log_forget();
		fake_fail(rig.d.dp, fns[i], 1, 1, EIO);
		assert_int_equal(rig_apply(&rig, SERVERS(A "," B)), 0);
		assert_int_equal(fake_log_said("\"a\" is not (fully) monitored: Input"), 1);
		assert_int_equal(servers_n(rig.d.servers), 2);
		assert_int_equal(rig_server(&rig, "b")->id != 0, 1);
		assert_int_equal(kernel("b")->n_addrs, 1);
		rig_pass(&rig);
		assert_int_equal(rig_apply(&rig, SERVERS(A "," B)), 0); /* tries again */
		assert_int_equal(kernel("a")->n_addrs, 1);
		assert_int_equal(fake_log_said("not (fully) monitored"), 1);
		assert_int_equal(rig_apply(&rig, SERVERS(B)), 0);
		assert_int_equal(fake_id(rig.d.dp, "a"), 0);
		rig_pass(&rig);
	}
	assert_int_equal(rig_apply(&rig, SERVERS(A "," B)), 0);
	assert_int_equal(kernel("a")->n_addrs, 1);
}

static void test_hook_errors(void **state)
{
	(void)state;
	seen.added_error = -ENOMEM;
	assert_string_equal(apply(SERVERS(A)),
			    "added:a second-removed:a removed:a applied:a applied-signal: ");
	assert_int_equal(rig_server(&rig, "a")->id, 0);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 0);
	assert_int_equal(fake_log_said("\"a\" is not (fully) monitored: Cannot allocate"), 1);
	seen.added_error = 0; /* the next reload tries again */
	assert_string_equal(apply(SERVERS(A)), "added:a ready:a applied:a applied-signal: ");
	seen.changed_error = -ENOMEM;
	assert_int_equal(rig_apply(&rig, SERVERS(A_POLICY)), -ENOMEM);
	assert_true(rig_server(&rig, "a")->rewrite);
	seen.changed_error = 0;
	rig_pass(&rig);
	assert_int_equal(kernel("a")->kernel.policy.consecutive, 9);
	/* the same configuration again, and still not as if it was in force */
	assert_string_equal(
		apply(SERVERS(A_POLICY)),
		"second-removed:a removed:a added:a ready:a applied:a applied-signal: ");
	seen.ready_error = -EIO;
	apply(SERVERS(B));
	assert_int_not_equal(rig_server(&rig, "b")->id, 0);
	assert_int_equal(kernel("b")->n_addrs, 0);
}

static void test_endpoints_are_full(void **state)
{
	(void)state;
	fake_fail(rig.d.dp, FAKE_ENDPOINTS_SET, 1, 1, E2BIG);
	apply(SERVERS(A));
	assert_non_null(strstr(servers_error(rig.d.servers), "server \"a\" is not (fully)"));
	apply(SERVERS(A_MOVED));
	assert_string_equal(servers_error(rig.d.servers), "");
}

static void test_no_place(void **state)
{
	(void)state;
	fake_fail(rig.d.dp, FAKE_SERVER_NEW, 1, 2, ENOSPC);
	apply(SERVERS(A "," B "," C));
	assert_int_equal(fake_log_said("no place for server"), 2);
	assert_int_equal(rig_server(&rig, "a")->id, 0);
	assert_int_equal(rig_server(&rig, "c")->id, SG_RESERVED);
	fake_fail(rig.d.dp, FAKE_SERVER_FORGET, 1, 1, EIO);
	apply(SERVERS(A)); /* the id is in use for longer; the next reload frees it */
	assert_int_equal(fake_id(rig.d.dp, "c"), SG_RESERVED);
	apply(SERVERS(A));
	assert_int_equal(fake_id(rig.d.dp, "c"), 0);
}

/* What the kernel denies stays denied when the daemon cannot take a server over. */
static void test_takeover_that_fails(void **state)
{
	static const enum fake_fn fns[] = { FAKE_FN_COUNT, FAKE_SERVER_FIND, FAKE_SERVER_SET,
					    FAKE_COMMAND };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fns); i++) {
		apply(SERVERS(A "," B));
		fake_order(rig.d.dp, fake_id(rig.d.dp, "a"), SG_FORCED_OPEN, SG_FOREVER);
		kernel("a")->quarantine_ns = SG_FOREVER;
		rig_end(&rig);
		assert_int_equal(rig_begin(&rig), 0);
		if (fns[i] == FAKE_FN_COUNT)
			seen.added_error = -ENOMEM;
		else
			fake_fail(rig.d.dp, fns[i], 1, 1, EIO);
		apply(SERVERS(A "," B));
		assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_FORGET, 0), 0);
		assert_int_equal(kernel("a")->quarantine_ns, SG_FOREVER);
		assert_int_equal(kernel("a")->kernel.breaker.state, SG_FORCED_OPEN);
		seen.added_error = 0;
		apply(SERVERS(B "," A));
		assert_int_equal(rig_server(&rig, "a")->id, fake_id(rig.d.dp, "a"));
		apply(SERVERS(B)); /* whoever is not configured any more stays in quarantine */
		assert_true(rig_server(&rig, "a")->orphan);
		assert_int_equal(kernel("a")->quarantine_ns, SG_FOREVER);
		kernel("a")->quarantine_ns = 0;
		apply(SERVERS(B)); /* and is free without it */
		assert_int_equal(fake_id(rig.d.dp, "a"), 0);
	}
}

/* --- without memory ---------------------------------------------------------------------------- */

/* Whoever is there is covered by whom the configuration says, or by nobody. */
static void check_covered(void)
{
	const struct config *config = servers_config(rig.d.servers);

	for (const struct server *s = servers_first(rig.d.servers); s; s = s->next) {
		assert_ptr_equal(s->config, config_find(config, s->config->name));
		if (s->covered_by)
			assert_ptr_equal(s->covered_by->config,
					 &config->servers[s->config->same_endpoint]);
	}
}

/* The n-th allocation fails, for every n, in the first configuration and in a reload. */
static void test_first_without_memory(void **state)
{
	size_t n = 0;
	bool failed = true;

	(void)state;
	while (failed) {
		struct config *config = rig_config(SERVERS(A "," B "," A_COVERED "," FILES));
		int r;

		fake_alloc_fail(++n, false);
		r = servers_apply(rig.d.servers, config);
		failed = fake_alloc_failed();
		assert_true(r == 0 || r == -ENOMEM);
		if (r)
			assert_true(failed);
		bus_pass(rig.d.bus);
		if (r && !servers_config(rig.d.servers))
			assert_int_equal(servers_n(rig.d.servers), 0);
		check_covered();
		rig_end(&rig);
		fake_dataplane_wipe(rig.d.dp);
		assert_int_equal(seen.made, 0);
		assert_int_equal(rig_begin(&rig), 0);
	}
	assert_in_range(n, 10, 1000);
}

static void test_reload_without_memory(void **state)
{
	size_t n = 0;
	bool failed = true;

	(void)state;
	apply(SERVERS(A "," B "," A_COVERED));
	while (failed) {
		struct config *config = rig_config(SERVERS(C "," A_COVERED "," A_POLICY));
		int r;

		fake_alloc_fail(++n, false);
		r = servers_apply(rig.d.servers, config);
		failed = fake_alloc_failed();
		assert_true(r == 0 || r == -ENOMEM);
		bus_pass(rig.d.bus);
		for (const struct server *s = servers_first(rig.d.servers); s; s = s->next) {
			assert_ptr_equal(s->config, config_find(servers_config(rig.d.servers),
								s->config->name));
		}
		apply(SERVERS(A "," B "," A_COVERED)); /* goes on */
		assert_int_equal(servers_n(rig.d.servers), 3);
		assert_ptr_equal(rig_server(&rig, "again")->covered_by, rig_server(&rig, "a"));
		assert_int_equal(kernel("b")->n_addrs, 1);
	}
	assert_in_range(n, 5, 1000);
}

static void test_config_without_memory(void **state)
{
	static const char text[] = SERVERS(
		A "," A_COVERED "," C "," FILES ","
		  "\"g\":{\"url\":\"http://x.example/p?k=${K:-v}\",\"group\":\"g\","
		  "\"fallback\":[\"a\"],\"on_open\":\"fallback\",\"headers\":{\"x\":\"y\"}}");
	bool failed = true;
	size_t n = 0;

	(void)state;
	while (failed) {
		struct config *config = NULL;
		struct buf errors;
		int r;

		errors = BUF(65536);
		fake_alloc_fail(++n, false);
		r = config_parse(text, strlen(text), "f", NULL, &config, &errors);
		failed = fake_alloc_failed();
		assert_true(r == 0 || r == -ENOMEM || (r == -EINVAL && errors.len));
		assert_int_equal(r == 0, config != NULL);
		config_free(config);
		buf_done(&errors);
	}
	assert_in_range(n, 20, 10000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply),
		TEST(test_covered),
		TEST(test_nothing_changed),
		TEST(test_added_and_removed),
		TEST(test_changed),
		TEST(test_renamed),
		TEST(test_watched_from_now_on),
		TEST(test_moved_to_a_unix_socket),
		TEST(test_unix_sockets_that_are_not_seen),
		TEST(test_one_unix_socket_for_two),
		TEST(test_pinned_endpoints_stay),
		TEST(test_takeover_frees_ids),
		TEST(test_restored),
		TEST(test_errors),
		TEST(test_hook_errors),
		TEST(test_endpoints_are_full),
		TEST(test_no_place),
		TEST(test_takeover_that_fails),
		TEST(test_first_without_memory),
		TEST(test_reload_without_memory),
		TEST(test_config_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
