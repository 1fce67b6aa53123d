/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plays the daemon, and the kernel, for one relay: whoever connects to its ports was meant for
 * server 7. Reads orders from stdin, a line each, fields divided by tabs, and answers each with a
 * line "ok", or what is asked for:
 *
 *	set FIELD VALUE    of the rule: name path reason instead target target_host target_path,
 *	                   idempotent (names divided by commas), share, primary (0 or 1), since,
 *	                   until, retry (Unix seconds), tools (a file), at (ADDR:PORT)
 *	stand-in, forward  the rule as it was set holds
 *	drop               no rule
 *	stats              "answered forwarded replayed failed sessions"
 *	pid                of its process
 *	kill               that, and waits for the next one
 *
 * usage: standby RELAY
 * Prints "ready PORT4 PORT6". Ends with its stdin.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi.h"
#include "base/clock.h"
#include "base/parse.h"
#include "io/relay.h"

#define SERVER 7
#define REFRESH_MS 10000
#define LINE_MAX_LEN 8192

static struct relay *relay;
static struct relay_stats seen;
static struct relay_rule rule = { .server = SERVER, .incarnation = 1, .name = "files" };
static char tools_path[4096];
static struct sg_origin *origins;

static void die(const char *what, int r)
{
	fprintf(stderr, "standby: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void on_stats(void *owner, const struct relay_stats *stats)
{
	(void)owner;
	seen = *stats;
}

/* As if every port had just connected, from the loopback of its family. */
static void refresh(void)
{
	for (uint32_t i = 0; i < SG_ORIGINS_MAX; i++) {
		struct sg_origin o = { .t_ns = clock_boot_ns(),
				       .server = SERVER,
				       .incarnation = 1 };

		o.local[10] = o.local[11] = 0xff;
		o.local[12] = 127;
		o.local[15] = 1;
		origins[i] = o;
	}
}

/* --- the rule -------------------------------------------------------------------------------- */

static void set_idempotent(char *names)
{
	char *to = rule.idempotent;

	memset(rule.idempotent, 0, sizeof(rule.idempotent));
	for (char *name; (name = strsep(&names, ","));)
		to += snprintf(to, 256, "%s", name) + 1;
}

static void set_at(const char *value)
{
	struct addr addr;
	uint16_t port = 0;

	if (parse_addr_port(value, &addr, &port))
		die("no ADDR:PORT", -EINVAL);
	memcpy(rule.addr, addr.bytes, sizeof(rule.addr));
	rule.port = port;
}

static void set_flag(uint8_t flag, const char *value)
{
	rule.flags = (uint8_t)(*value == '1' ? rule.flags | flag : rule.flags & ~flag);
}

static void set(const char *field, char *value)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
	} texts[] = {
		{ "name", rule.name, sizeof(rule.name) },
		{ "path", rule.path, sizeof(rule.path) },
		{ "reason", rule.reason, sizeof(rule.reason) },
		{ "instead", rule.instead, sizeof(rule.instead) },
		{ "target", rule.target, sizeof(rule.target) },
		{ "target_host", rule.target_host, sizeof(rule.target_host) },
		{ "target_path", rule.target_path, sizeof(rule.target_path) },
		{ "tools", tools_path, sizeof(tools_path) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(field, texts[i].name))
			snprintf(texts[i].to, texts[i].size, "%s", value);
	if (!strcmp(field, "idempotent"))
		set_idempotent(value);
	if (!strcmp(field, "at"))
		set_at(value);
	if (!strcmp(field, "share"))
		set_flag(RELAY_SHARE_AUTHORIZATION, value);
	if (!strcmp(field, "primary"))
		set_flag(RELAY_TO_PRIMARY, value);
	if (!strcmp(field, "since"))
		rule.since_s = strtoull(value, NULL, 10);
	if (!strcmp(field, "until"))
		rule.until_s = strtoull(value, NULL, 10);
	if (!strcmp(field, "retry"))
		rule.retry_s = strtoull(value, NULL, 10);
}

static void rule_holds(uint8_t kind)
{
	static char tools[RELAY_TOOLS_MAX];
	CLEANUP(fclosep) FILE *file = tools_path[0] ? fopen(tools_path, "re") : NULL;
	size_t len = file ? fread(tools, 1, sizeof(tools), file) : 0;
	int r;

	rule.kind = kind;
	r = relay_set_rule(relay, &rule, file ? tools : NULL, len);
	if (r)
		die("the rule", r);
}

/* --- orders ---------------------------------------------------------------------------------- */

static void turn(int ms, bool with_stdin)
{
	struct pollfd p[] = { { .fd = relay_fd(relay), .events = POLLIN },
			      { .fd = with_stdin ? STDIN_FILENO : -1, .events = POLLIN } };
	uint64_t due = relay_due_ns(relay);
	uint64_t now = clock_boot_ns();
	uint64_t wait = due > now ? (due - now) / NS_PER_MS + 1 : 0;

	poll(p, 2, wait < (uint64_t)ms ? (int)wait : ms);
	relay_run(relay);
}

static void until_up(void)
{
	while (!relay_up(relay)) {
		turn(1000, false);
		if (!relay_pid(relay) && *relay_why(relay))
			fprintf(stderr, "standby: %s\n", relay_why(relay));
	}
}

static void kill_it(void)
{
	pid_t pid = relay_pid(relay);

	kill(pid, SIGKILL);
	while (relay_pid(relay) == pid)
		turn(1000, false);
	until_up();
}

static void obey(char *line)
{
	const char *order = strsep(&line, "\t");
	const char *field = strsep(&line, "\t");
	char *value = line;

	if (!strcmp(order, "set") && field)
		set(field, value ? value : (char *)"");
	if (!strcmp(order, "stand-in"))
		rule_holds(RELAY_STAND_IN);
	if (!strcmp(order, "forward"))
		rule_holds(RELAY_FORWARD);
	if (!strcmp(order, "drop"))
		relay_drop_rule(relay, SERVER);
	if (!strcmp(order, "kill"))
		kill_it();
	relay_run(relay);
	if (!strcmp(order, "stats"))
		printf("%lu %lu %lu %lu %u\n", seen.answered, seen.forwarded, seen.replayed,
		       seen.failed, seen.sessions);
	else if (!strcmp(order, "pid"))
		printf("%d\n", (int)relay_pid(relay));
	else
		puts("ok");
}

/* What came of stdin, whole lines; false: its end. */
static bool read_orders(void)
{
	static char text[LINE_MAX_LEN];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, text + len, sizeof(text) - len - 1);
	char *end;

	if (n <= 0)
		return false;
	len += (size_t)n;
	text[len] = '\0';
	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		obey(text);
		len -= (size_t)(end + 1 - text);
		memmove(text, end + 1, len + 1);
	}
	return true;
}

int main(int argc, char **argv)
{
	const size_t size = SG_ORIGINS_MAX * sizeof(struct sg_origin);
	int map = memfd_create("origins", MFD_CLOEXEC);
	const struct relay_spec spec = { .path = argc > 1 ? argv[1] : NULL,
					 .origins = &map,
					 .stats = on_stats };
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t fresh = 0;
	uint16_t v4, v6;
	int r;

	if (argc != 2 || map < 0 || ftruncate(map, (off_t)size))
		die("usage: standby RELAY", -EINVAL);
	origins = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (origins == MAP_FAILED)
		die("mmap", -errno);
	refresh();
	r = relay_new(&spec, &relay);
	if (r)
		die("relay_new", r);
	until_up();
	setvbuf(stdout, NULL, _IOLBF, 0);
	relay_ports(relay, &v4, &v6);
	printf("ready %u %u\n", v4, v6);
	for (;;) {
		turn(REFRESH_MS, true);
		if (clock_boot_ns() - fresh > REFRESH_MS * NS_PER_MS) {
			refresh();
			fresh = clock_boot_ns();
		}
		if (poll(&in, 1, 0) > 0 && !read_orders())
			break;
	}
	relay_free(relay);
	return 0;
}
