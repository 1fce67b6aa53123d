/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fake/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "codec/messages.h"

/* --- who asks: what the kernel says of a client is what the test says ----------------------- */

static struct ucred client;

void rig_client(uid_t uid, gid_t gid)
{
	client.pid = getpid();
	client.uid = uid;
	client.gid = gid;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (level == SOL_SOCKET && name == SO_PEERCRED) {
		memcpy(value, &client, sizeof(client));
		return 0;
	}
	if (level == SOL_SOCKET && name == SO_PEERGROUPS)
		return -1;
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

/* --- life ------------------------------------------------------------------------------------- */

void rig_make(struct rig *rig, const struct rig_parts *parts)
{
	memset(rig, 0, sizeof(*rig));
	rig->parts = *parts;
	/* in memory if that can be: the state is made durable at each pass */
	snprintf(rig->dir, sizeof(rig->dir), "%s/sg-test-rig-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->state_dir, sizeof(rig->state_dir), "%s/state", rig->dir);
	snprintf(rig->socket, sizeof(rig->socket), "%s/run/api", rig->dir);
	rig->settings.state_dir = rig->state_dir;
	rig->settings.socket = rig->socket;
	rig->settings.cgroup = rig->dir;
	rig->settings.metrics = (char *)"off";
	rig->settings.metrics_off = true;
	rig->d.settings = &rig->settings;
	rig->d.dp = fake_dataplane_new();
	fake_canary = (struct fake_canary){ .ok = true };
	fake_log_forget();
	rig_client(0, 0);
}

static int on_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void rig_free(struct rig *rig)
{
	rig_end(rig);
	dataplane_close(rig->d.dp);
	nftw(rig->dir, on_file, 8, FTW_DEPTH | FTW_PHYS);
}

/* As in daemon/run.c. */
int rig_begin(struct rig *rig)
{
	struct daemon *d = &rig->d;
	int r = loop_new(&d->loop);

	if (!r)
		r = modules_new(rig->parts.modules, rig->parts.n_modules, d, &rig->modules);
	if (!r)
		r = bus_new(rig->modules, rig->parts.table, rig->parts.n_table, &d->bus);
	if (!r)
		r = servers_new(d, rig->modules, &d->servers);
	while (!r && rig->started < rig->modules->n) {
		const struct module *m = rig->modules->v[rig->started];

		if (m->start)
			r = m->start(rig->modules->memory[rig->started]);
		rig->started++;
	}
	return r;
}

void rig_end(struct rig *rig)
{
	for (; rig->started > 0; rig->started--) {
		size_t i = rig->started - 1;

		if (rig->modules->v[i]->stop)
			rig->modules->v[i]->stop(rig->modules->memory[i]);
	}
	servers_free(TAKE_PTR(rig->d.servers));
	bus_free(TAKE_PTR(rig->d.bus));
	loop_free(TAKE_PTR(rig->d.loop));
	modules_free(TAKE_PTR(rig->modules));
}

struct config *rig_config(const char *text)
{
	struct config *config = NULL;
	struct buf errors;

	errors = BUF(65536);
	if (config_parse(text, strlen(text), "rig", NULL, &config, &errors))
		fail_msg("%s", buf_str(&errors));
	buf_done(&errors);
	return config;
}

int rig_apply(struct rig *rig, const char *config)
{
	return servers_apply(rig->d.servers, rig_config(config));
}

void rig_start(struct rig *rig, const char *config)
{
	assert_int_equal(rig_begin(rig), 0);
	rig_reload(rig, config);
}

void rig_reload(struct rig *rig, const char *config)
{
	assert_int_equal(rig_apply(rig, config), 0);
	rig_pass(rig);
}

void rig_restart(struct rig *rig, const char *config)
{
	rig_end(rig);
	rig->d.dp->taken_over = true;
	rig_start(rig, config);
}

void rig_reboot(struct rig *rig, const char *config)
{
	rig_end(rig);
	fake_dataplane_wipe(rig->d.dp);
	fake_clock_reboot();
	rig_start(rig, config);
}

void rig_pass(struct rig *rig)
{
	bus_pass(rig->d.bus);
}

void rig_turn(struct rig *rig)
{
	for (int i = 0; i < 6; i++)
		assert_int_equal(loop_turn(rig->d.loop, 0), 0);
}

void rig_advance(struct rig *rig, uint64_t ns)
{
	fake_clock_advance(ns);
	rig_turn(rig);
}

struct server *rig_server(struct rig *rig, const char *name)
{
	struct server *s = servers_by_name(rig->d.servers, name);

	assert_non_null(s);
	return s;
}

/* --- over the socket ---------------------------------------------------------------------------- */

static int dial(struct rig *rig, const char *text, size_t len)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", rig->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

int rig_send(struct rig *rig, const char *method, const char *path, const char *body)
{
	struct buf text = BUF(131072); /* the socket has room for it */
	int fd;

	buf_printf(&text,
		   "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		   "Content-Length: %zu\r\n\r\n%s",
		   method, path, body ? strlen(body) : 0, body ? body : "");
	assert_int_equal(buf_error(&text), 0);
	fd = dial(rig, text.data, text.len);
	buf_done(&text);
	return fd;
}

int rig_get(struct rig *rig, const char *path, const char *header)
{
	char text[1024];

	snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\nHost: x\r\n%s\r\n", path, header);
	return dial(rig, text, strlen(text));
}

bool rig_look(struct rig *rig, int fd, struct rig_answer *to)
{
	ssize_t n = -1;

	for (int i = 0; i < 12; i++) {
		rig_turn(rig);
		do {
			to->text = realloc(to->text, to->len + 65536);
			assert_non_null(to->text);
			n = recv(fd, to->text + to->len, 65535, 0);
			to->len += n > 0 ? (size_t)n : 0;
			to->text[to->len] = '\0';
		} while (n > 0);
		if (!n)
			break;
	}
	if (to->len) {
		to->body = strstr(to->text, "\r\n\r\n");
		to->body += to->body ? 4 : 0;
		to->status = (unsigned int)strtoul(to->text + sizeof("HTTP/1.1"), NULL, 10);
	}
	return !n;
}

void rig_answer_done(struct rig_answer *a)
{
	free(a->text);
	memset(a, 0, sizeof(*a));
}

unsigned int rig_ask(struct rig *rig, const char *method, const char *path, const char *body,
		     struct rig_answer *ret)
{
	int fd = rig_send(rig, method, path, body);

	memset(ret, 0, sizeof(*ret));
	if (!rig_look(rig, fd, ret) || !ret->body)
		fail_msg("no answer to %s %s", method, path);
	close(fd);
	return ret->status;
}

unsigned int rig_order(struct rig *rig, const char *name, const char *verb, const char *body)
{
	struct rig_answer a;
	unsigned int status;
	char path[128];

	snprintf(path, sizeof(path), "/v1/servers/%s/%s", name, verb);
	status = rig_ask(rig, "POST", path, body, &a);
	rig_answer_done(&a);
	return status;
}

void rig_status(struct rig *rig, struct status *ret)
{
	struct rig_answer a;

	assert_int_equal(rig_ask(rig, "GET", "/v1/status", NULL, &a), 200);
	assert_int_equal(status_decode(a.body, strlen(a.body), ret), 0);
	rig_answer_done(&a);
}

bool rig_degraded(struct rig *rig, const char *text)
{
	struct status s;
	bool found = false;

	rig_status(rig, &s);
	for (size_t i = 0; i < s.n_degraded; i++)
		found |= strstr(s.degraded[i], text) != NULL;
	status_done(&s);
	return found;
}

size_t rig_events(struct rig *rig, const char *a, const char *b)
{
	struct rig_answer answer;
	char *rest = NULL;
	size_t n = 0;

	assert_int_equal(rig_ask(rig, "GET", "/v1/events?calls=1", NULL, &answer), 200);
	for (char *line = strtok_r(answer.body, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		n += (!a || strstr(line, a)) && (!b || strstr(line, b));
	rig_answer_done(&answer);
	return n;
}

bool rig_metric(struct rig *rig, const char *line)
{
	struct rig_answer a;
	char want[256];
	bool found;

	snprintf(want, sizeof(want), "\n%s\n", line);
	assert_int_equal(rig_ask(rig, "GET", "/metrics", NULL, &a), 200);
	found = strstr(a.body, want) != NULL;
	rig_answer_done(&a);
	return found;
}
